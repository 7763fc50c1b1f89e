// With profile=HZ the samples name the function that burns the time; timers still work.
function burns(n) {
  let x = 0;
  for (let i = 0; i < n; i++) x = (x + i * 3) % 1021;
  return x;
}
let turns = 0;
let asked = 0;
__base.onTurn(() => {
  const now = __base.clockMonotonic();
  if (now < asked) __base.exit(1);
  burns(20000);
  if (++turns === 20) {
    __base.consoleWrite(__base.profile());
    __base.exit(0);
  }
  if (turns % 2 === 0) return -1;
  asked = __base.clockMonotonic() + 10000;
  return asked;
});
