// Breaks the promise that the command line names.
const kind = /fault=([a-z-]+)/.exec(__base.cmdline)[1];
__base.consoleWrite(`about to: ${kind}\n`);
__base.consoleWrite(`survived: ${__base.fault(kind)}\n`);
