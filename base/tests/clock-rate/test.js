// Prints both ends of a second, which the host times.
let end = 0;
__base.onTurn(() => {
  const now = __base.clockMonotonic();
  if (end === 0) {
    __base.consoleWrite('second begins\n');
    end = now + 1000000;
    return end;
  }
  __base.consoleWrite('second ends\n');
  __base.exit(0);
});
