@echo off
rem Run once in each image, as an administrator, from the disk that the lab attaches: lets Windows look for START.CMD on
rem its drives at every logon, writes the logs of IKE, and allows gateways behind NAT where asked to.
rem
rem   prepare          a client as it comes
rem   prepare nat      with AssumeUDPEncapsulationContextOnSendRule=2 (restart Windows then)

ver | find " 5." >nul
if errorlevel 1 goto later

rem Windows 2000 and XP. Windows 2000 has no reg.exe, so a file of the registry's own format it is.
copy /y "%~d0\fgstart.cmd" "%SystemRoot%\floatgate.cmd" >nul
regedit /s "%~d0\prepare5.reg"
if "%1"=="nat" regedit /s "%~d0\nat5.reg"
goto done

:later
copy /y "%~d0\fgstart.cmd" "%SystemRoot%\floatgate.cmd" >nul
schtasks /create /f /tn Floatgate /sc onlogon /rl highest /tr "%SystemRoot%\floatgate.cmd" || goto failed
reg add HKLM\SYSTEM\CurrentControlSet\Services\PolicyAgent\Oakley /v EnableLogging /t REG_DWORD /d 1 /f
if "%1"=="nat" reg add HKLM\SYSTEM\CurrentControlSet\Services\PolicyAgent /v AssumeUDPEncapsulationContextOnSendRule /t REG_DWORD /d 2 /f

:done
echo Prepared. Shut Windows down now: the image is ready.
goto end
:failed
echo The task could not be made: is this an administrator's command prompt?
:end
