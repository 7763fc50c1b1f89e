// Prints a profile of an image: by function, and by native code, named by the base's symbols.
// Usage: node base/profile.mjs LOG [build/base/base.sym]; LOG is a console log with profiles in it
// (`profile=HZ profile_s=N`), or one CpuProfile of packages/device/vitals.ts as JSON.
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

const counts = { script: new Map(), native: new Map(), code: new Map() };
const totals = { samples: 0, idle: 0, lost: 0 };
const add = (kind, name, samples) =>
  counts[kind].set(name, (counts[kind].get(name) ?? 0) + samples);

function addProfile({ nodes, ...head }) {
  for (const name of Object.keys(totals)) totals[name] += head[name];
  const named = nodes.map(({ kind, name, file, line, column }) => {
    // A bucket of 64 bytes is named by its middle.
    if (kind === 'script') return file === '' ? name : `${name} ${file}:${line}:${column}`;
    return nameOf(Number(name) + (kind === 'code' ? 32 : 0));
  });
  nodes.forEach(({ kind, samples, parent }, index) => {
    if (samples === 0) return;
    if (kind === 'code') add('code', named[index], samples);
    let above = kind === 'code' ? parent : index;
    if (above >= 0 && nodes[above].kind === 'native') {
      add('native', named[above], samples);
      above = nodes[above].parent;
    }
    if (above >= 0) add('script', named[above], samples);
  });
}

for (const line of fs.readFileSync(log, 'utf8').split(/\r?\n/)) {
  if (line.startsWith('{"hz":')) addProfile(JSON.parse(line));
}
const busy = totals.samples - totals.idle;
console.log(`samples ${totals.samples}, idle ${totals.idle}, lost ${totals.lost}`);
for (const [kind, title] of [
  ['script', 'JavaScript function (self, with the native code it calls)'],
  ['native', 'native function called from JavaScript'],
  ['code', 'native code (self)'],
]) {
  console.log(`\n${title}`);
  const rows = [...counts[kind]].sort((a, b) => b[1] - a[1]).slice(0, 40);
  for (const [name, count] of rows) {
    console.log(`${((100 * count) / busy).toFixed(1).padStart(6)} %  ${name}`);
  }
}
