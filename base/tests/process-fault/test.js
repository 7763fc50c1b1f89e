// Boot argument: the kind of fault (base/tests/calls.c).
__base.consoleWrite('before\n');
const result = __base.fault(__base.bootArguments[0]);
__base.consoleWrite(`survived ${result}\n`);
