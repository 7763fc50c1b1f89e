// Monotonic time never goes back and agrees with wall time; both are integers.
let before = __base.clockMonotonic();
let steps = 0;
for (let i = 0; i < 20000; i++) {
  const now = __base.clockMonotonic();
  if (now < before || !Number.isInteger(now)) __base.exit(1);
  if (now > before) steps++;
  before = now;
}
const offset = __base.clockWall() - __base.clockMonotonic();
const drift = Math.abs(__base.clockWall() - __base.clockMonotonic() - offset);
__base.consoleWrite(`steps ${steps > 10} drift ${drift < 1000}\nwall ${__base.clockWall()}\n`);
const dateMs = Math.abs(Date.now() - __base.clockWall() / 1000);
__base.consoleWrite(`date agrees ${dateMs < 100}\n`);
