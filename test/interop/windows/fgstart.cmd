@echo off
rem Starts the lab's agent from whichever drive has it.
for %%d in (A B D E F G H) do if exist %%d:\START.CMD call %%d:\START.CMD
