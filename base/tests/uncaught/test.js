// An uncaught exception is printed with its stack.
function thrower() {
  throw new TypeError('thrown on purpose');
}
if (__base.cmdline.includes('in=turn')) __base.onTurn(() => thrower());
else thrower();
