@echo off
rem Started by Windows at logon (see prepare.cmd): copies the agent off the disk and starts it on the serial port.
rem %~d0 is the drive that this file is on.
copy /y "%~d0\agent.exe" "%TEMP%\fg-agent.exe" >nul
if not exist "%TEMP%\fg-agent.exe" exit /b 1
start "" /min "%TEMP%\fg-agent.exe" COM1 %~d0\
