/**
 * An image that does what its first boot argument says; virtio.test.ts and launch.test.ts ask it.
 */

import { hot } from '#core';
import type { Machine, NetDevice } from '#device';
import { launch } from '#targets/pvh/index';

const words = (machine: Machine): string => machine.bootArguments.join('|');

/**
 * Sends every frame back with its addresses swapped; ends when one begins with 'END' as payload.
 */
function echo(machine: Machine, device: NetDevice): Promise<number> {
  machine.console.writeLine(`echo ${Array.from(device.mac).join(':')}`);
  return new Promise((resolve) => {
    device.attach({
      receive(frame) {
        const memory = device.reserve();
        if (memory === null) return;
        hot.copy(memory, 0, frame, 0, frame.length);
        hot.copy(memory, 0, frame, 6, 6);
        hot.copy(memory, 6, frame, 0, 6);
        device.commit(frame.length, [], null);
        if (hot.latin1(frame, 14, 17) === 'END') resolve(0);
      },
      transmitReady() {},
    });
  });
}

launch(async (machine) => {
  const say = (line: string): void => machine.console.writeLine(line);
  switch (machine.bootArguments[0]) {
    case 'arguments':
      say(words(machine));
      return 0;
    case 'exit':
      return Number(machine.bootArguments[1]);
    case 'reject':
      throw new TypeError('this program gives up');
    case 'entropy': {
      const first = new Uint8Array(1000);
      const second = new Uint8Array(1000);
      machine.entropy.fill(first);
      machine.entropy.fill(second);
      const kinds = new Set([...first, ...second]).size;
      say(`${kinds} ${hot.equal(first, 0, second, 0, 1000)}`);
      return 0;
    }
    case 'content': {
      const site = machine.content('site');
      const entry = site?.get('page.html');
      if (!site || !entry) return 1;
      const variants = entry.variants.map(({ encoding }) => encoding);
      say(`${site.paths()} ${entry.bytes.length} ${entry.digest} ${variants}`);
      say(hot.latin1(entry.bytes, 0, 20));
      return machine.content('other') === null ? 0 : 1;
    }
    case 'echo':
      return echo(machine, machine.interfaces[0]!);
    default:
      say(`devices ${machine.interfaces.length}`);
      return 0;
  }
});
