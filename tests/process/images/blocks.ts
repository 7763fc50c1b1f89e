/** The conformance suites for BlockDevice on the disks of a process, then a mark on each. */

import { hot } from '#core';
import { blockCases, readOnlyBlockCases } from '#device/conformance';
import { launch } from '#targets/process/index';

launch(async (machine) => {
  for (const disk of machine.blocks) {
    for (const { name, run } of disk.isReadOnly ? readOnlyBlockCases : blockCases) {
      await run(disk);
      machine.console.writeLine(`ok ${disk.name}: ${name}`);
    }
    const mark = new Uint8Array(disk.blockBytes);
    if (disk.isReadOnly) {
      await disk.read(1, mark);
      machine.console.writeLine(`read ${hot.latin1(mark, 0, 4)}`);
      continue;
    }
    mark.set([0x6d, 0x61, 0x72, 0x6b]);
    const written = await disk.write(disk.blockCount - 1, mark);
    const flushed = await disk.flush();
    if (!written.ok || !flushed.ok) return 1;
  }
  return 0;
});
