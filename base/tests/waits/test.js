// Waits for ever, for interrupts only; the test sends one that is the end. With "sampled" on the
// command line the profiler's interrupts come meanwhile.
if (__base.cmdline === 'sampled') __base.profile(2000, new Uint8Array(65552));
__base.consoleWrite('ready\n');
__base.onTurn(() => Infinity);
