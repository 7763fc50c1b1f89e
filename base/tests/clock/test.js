// Monotonic time never goes back and agrees with wall time; both are integers.
let before = __base.clockMonotonic();
let steps = 0;
for (let i = 0; i < 20000; i++) {
  const now = __base.clockMonotonic();
  if (now < before || !Number.isInteger(now)) __base.exit(1);
  if (now > before) steps++;
  before = now;
}
// The machine may stand still between two readings: the pair that took the least time counts.
function offset() {
  let best = { width: Infinity, at: 0 };
  for (let i = 0; i < 10; i++) {
    const start = __base.clockMonotonic();
    const wall = __base.clockWall();
    const width = __base.clockMonotonic() - start;
    if (width < best.width) best = { width, at: wall - start };
  }
  return best.at;
}
const first = offset();
const drift = Math.abs(offset() - first);
__base.consoleWrite(`steps ${steps > 10} drift ${drift < 1000}\nwall ${__base.clockWall()}\n`);
const from = __base.clockWall() / 1000;
const date = Date.now();
const agrees = date > from - 100 && date < __base.clockWall() / 1000 + 100;
__base.consoleWrite(`date agrees ${agrees}\n`);
