// The idle wait halts, ends at its deadline and not before; the clock never goes back.
let turns = 0;
let asked = 0;
const late = [];
__base.onTurn((woken) => {
  const now = __base.clockMonotonic();
  if (turns > 0) {
    late.push(now - asked);
    if (now < asked || woken !== 0) __base.exit(1);
  }
  turns++;
  if (turns === 11) __base.consoleWrite('idle begins\n');
  if (turns === 12) {
    late.sort((a, b) => a - b);
    __base.consoleWrite(`idle ends\nmedian late ${late[late.length >> 1]} us\n`);
    __base.exit(0);
  }
  asked = now + (turns === 11 ? 1000000 : 5000);
  return asked;
});
