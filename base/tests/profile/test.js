// Samples name the function that burns the time, and its caller; timers still work meanwhile; what
// was stopped takes no samples, and can be started again. What is on when it ends is no obstacle.
const NODES = 4096;
function burns(n) {
  let x = 0;
  for (let i = 0; i < n; i++) x = (x + i * 3) % 1021;
  return x;
}
/** A method's name isn't in its code. */
const on = {
  caller() {
    burns(20000);
  },
};
/**
 * Linux looks at a process's timer a few hundred times a second of its CPU time, whatever was
 * asked, and a busy machine gives it little of that: bounded by 5 s.
 */
function burnUntilSampled(into) {
  const until = __base.clockMonotonic() + 5000000;
  while (read(into).burnt === 0 && __base.clockMonotonic() < until) {
    for (let i = 0; i < 10; i++) on.caller();
  }
}
const addressOf = (words, at) => Math.floor((words[at + 1] * 2 ** 32 + words[at]) / 4);
/** How many samples have `burns` below `caller`, and the totals. */
function read(table) {
  const words = new Uint32Array(table.buffer);
  const [samples, idle, lost] = words;
  const isNamed = (place, name) => {
    const at = 4 + 4 * place;
    return place > 0 && (words[at] & 3) === 1 && __base.functionName(addressOf(words, at)) === name;
  };
  let burnt = 0;
  let counted = 0;
  for (let place = 1; place < NODES; place++) {
    const at = 4 + 4 * place;
    counted += words[at + 3];
    const parent = words[at + 2];
    if (words[at + 3] === 0 || !isNamed(parent, 'burns main.js:4:1')) continue;
    if (isNamed(words[4 + 4 * parent + 2], 'caller main.js:11:3')) burnt += words[at + 3];
  }
  return { samples, idle, lost, burnt, counted };
}
const table = new Uint8Array(16 + 16 * NODES);
let turns = 0;
let asked = 0;
if (!__base.profile(1000, table)) __base.exit(2);
__base.onTurn(() => {
  const now = __base.clockMonotonic();
  if (now < asked) __base.exit(1);
  on.caller();
  if (++turns % 2 === 0) return -1;
  if (turns > 20) {
    __base.profile(0, null);
    const { samples, idle, lost, burnt, counted } = read(table);
    __base.consoleWrite(`idle ${idle > 0} lost ${lost}\n`);
    __base.consoleWrite(`all counted ${counted === samples - idle}\n`);
    __base.consoleWrite(`burns ${burnt > counted / 2} ${burnt <= counted}\n`);
    const before = table.slice();
    on.caller();
    __base.consoleWrite(`silent ${table.every((byte, i) => byte === before[i])}\n`);
    const again = new Uint8Array(table.length);
    __base.profile(1000, again);
    burnUntilSampled(again);
    __base.profile(20000, table.fill(0));
    burnUntilSampled(table);
    __base.consoleWrite(`again ${read(again).burnt > 0} ${read(table).burnt > 0}\n`);
    let refused = 0;
    for (const [hz, to] of [
      [19, table],
      [20001, table],
      [1000, table.subarray(1)],
      [1000, null],
      [-1, table],
    ]) {
      try {
        __base.profile(hz, to);
      } catch (error) {
        if (error instanceof RangeError) refused++;
      }
    }
    __base.consoleWrite(`refused ${refused} gone ${__base.functionName(4096)}\n`);
    __base.exit(0);
  }
  asked = __base.clockMonotonic() + 10000;
  return asked;
});
