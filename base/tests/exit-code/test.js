// The exit code arrives at the virtual machine monitor.
const code = Number(/code=(\d+)/.exec(__base.cmdline)[1]);
__base.consoleWrite(`leaving with ${code}\n`);
__base.exit(code);
