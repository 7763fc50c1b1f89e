/** Asks 10.99.0.1 for /small.txt and /large.bin over our own TCP/IP, and says what came. */

import { hot, Log } from '#core';
import type { Stack } from '#device';
import { directStack, stackOptions } from '#stack';
import { launch } from '#targets/process/index';

/** All bytes of the answer to one request; null when there is no connection. */
function get(stack: Stack, path: string): Promise<Uint8Array | null> {
  const pieces: Uint8Array[] = [];
  return new Promise((resolve) => {
    stack.connect('10.99.0.1', 80, (opened) => {
      if (!opened.ok) return resolve(null);
      const flow = opened.value;
      flow.attach({
        data: (bytes) => void pieces.push(bytes.slice()),
        drained() {},
        end: () => flow.shutdown(),
        closed: () => resolve(joined(pieces)),
      });
      flow.write(hot.utf8Encode(`GET ${path} HTTP/1.0\r\nhost: a\r\n\r\n`));
    });
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

launch(async (machine) => {
  const options = stackOptions('10.99.0.2/24', '', '');
  const [device] = machine.interfaces;
  if (!options.ok || device === undefined) return 1;
  const log = new Log((line) => machine.console.writeLine(line), 'info').source('stack');
  const stack = await directStack(machine, device, options.value, log);
  for (const path of machine.bootArguments) {
    const answer = await get(stack, path);
    if (answer === null) return 2;
    const head = hot.latin1(answer, 0, Math.min(answer.length, 1_000)).split('\r\n\r\n')[0]!;
    const body = answer.subarray(head.length + 4);
    const sum = hot.checksum(body, 0, body.length, 0);
    machine.console.writeLine(`${path}: ${body.length} bytes, sum ${sum}`);
  }
  return 0;
});
