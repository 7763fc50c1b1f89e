// Waits for ever, for interrupts only; the test sends one that is the end.
__base.consoleWrite('ready\n');
__base.onTurn(() => Infinity);
