// Gives a profile of the base (text of __base.profile(), or a console log that holds it) its native
// names. Usage: node base/profile.mjs LOG [build/base/base.sym]
import * as fs from 'node:fs';
import * as path from 'node:path';

const [log, symbolFile = path.join(import.meta.dirname ?? '.', '../build/base/base.sym')] =
  process.argv.slice(2);
if (!log) {
  console.error('usage: node base/profile.mjs LOG [base.sym]');
  process.exit(1);
}
const symbols = fs
  .readFileSync(symbolFile, 'utf8')
  .split('\n')
  .map((line) => /^([0-9a-f]+) [tTwW] (\S+)/.exec(line))
  .filter(Boolean)
  .map(([, address, name]) => ({ address: Number.parseInt(address, 16), name }));

function nameOf(address) {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  return symbols[low - 1]?.name ?? '?';
}

const counts = { js: new Map(), native: new Map(), rip: new Map() };
const totals = { samples: 0, idle: 0, lost: 0 };
for (const line of fs.readFileSync(log, 'utf8').split(/\r?\n/)) {
  const head = /^samples (\d+) idle (\d+) lost (\d+)/.exec(line);
  if (head) {
    totals.samples += Number(head[1]);
    totals.idle += Number(head[2]);
    totals.lost += Number(head[3]);
  }
  const found = /^(js|native|rip) (\d+) (.*)$/.exec(line);
  if (!found) continue;
  const [, kind, count, what] = found;
  // A bucket of 64 bytes is named by its middle.
  const name = kind === 'js' ? what : nameOf(Number(what) + (kind === 'rip' ? 32 : 0));
  counts[kind].set(name, (counts[kind].get(name) ?? 0) + Number(count));
}
const busy = totals.samples - totals.idle;
console.log(`samples ${totals.samples}, idle ${totals.idle}, lost ${totals.lost}`);
for (const [kind, title] of [
  ['js', 'JavaScript function (self, with the native code it calls)'],
  ['native', 'native function called from JavaScript'],
  ['rip', 'native code (self)'],
]) {
  console.log(`\n${title}`);
  const rows = [...counts[kind]].sort((a, b) => b[1] - a[1]).slice(0, 40);
  for (const [name, count] of rows) {
    console.log(`${((100 * count) / busy).toFixed(1).padStart(6)} %  ${name}`);
  }
}
