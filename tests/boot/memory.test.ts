/** What the example site costs: 8 MiB for all of it, and next to no processor when idle. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { buildImage, cannotBoot, serving } from '../helpers/machine.ts';

const SITE = path.join(import.meta.dirname, '../../examples/static-site');
const skip = cannotBoot;
/** Linux counts processor time in these, whatever the machine: USER_HZ. */
const TICKS_PER_SECOND = 100;
const IDLE_MILLIS = 3_000;
/** Generous, for a busy machine: the number itself is the bench's to measure. */
const IDLE_SHARE_MAX = 0.25;

let image = '';
before(async () => {
  if (!skip) image = await buildImage('examples/static-site');
});

for (const machine of ['microvm', 'q35'] as const) {
  test(`${machine} › 8 MiB › every file of the site, byte by byte`, { skip }, async () => {
    const server = await serving({ image, machine, memoryMib: 8 });
    try {
      const names = readdirSync(SITE, { recursive: true, encoding: 'utf8' });
      const files = names.filter((name) => statSync(path.join(SITE, name)).isFile());
      assert.ok(files.length > 5);
      for (const name of files) {
        const response = await fetch(`${server.url}/${name}`, {
          signal: AbortSignal.timeout(60_000),
        });
        assert.equal(response.status, 200, name);
        const bytes = Buffer.from(await response.arrayBuffer());
        assert.deepEqual(bytes, readFileSync(path.join(SITE, name)), name);
      }
    } finally {
      await server.stop();
    }
  });
}

/** Seconds of processor time that a process has used so far: proc(5), fields 14 and 15. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

test('idle › the processor halts', { skip }, async () => {
  const server = await serving({ image, memoryMib: 8 });
  try {
    await (await fetch(server.url)).arrayBuffer();
    const before = processorSeconds(server.pid);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MILLIS));
    const share = (processorSeconds(server.pid) - before) / (IDLE_MILLIS / 1_000);
    assert.ok(before > 0, 'it has run');
    assert.ok(share < IDLE_SHARE_MAX, `${share} of a core`);
  } finally {
    await server.stop();
  }
});
