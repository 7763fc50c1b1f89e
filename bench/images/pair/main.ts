/**
 * One end of a measurement between two unikernels: sends as fast as it can, or counts what comes
 * and says so twice a second.
 */

import type { Start } from 'morgana';
import type config from './morgana.config.ts';

const PORT = 5001;
const WRITE = 65_536;
const QUEUE = 262_144;
/** Datagrams in one turn of the event loop. */
const BURST = 64;
const SAY_MICROS = 500_000;

export const start: Start<typeof config> = async ({ stack, args, timers, log }) => {
  if (args.peer !== '') {
    const to = { address: args.peer, port: PORT };
    if (args.datagram > 0) {
      const socket = await stack.bind(0, { receive() {} });
      if (!socket.ok) throw new Error(socket.error.kind);
      const message = new Uint8Array(args.datagram);
      const burst = (): void => {
        for (let i = 0; i < BURST; i++) socket.value.send(message, to);
        setTimeout(burst, 0);
      };
      burst();
      return;
    }
    stack.connect(to.address, to.port, (result) => {
      if (!result.ok) throw new Error(result.error.kind);
      const flow = result.value;
      flow.lowWaterBytes = QUEUE / 2;
      const bytes = new Uint8Array(WRITE);
      const fill = (): void => {
        while (flow.queuedBytes < QUEUE) flow.write(bytes);
      };
      flow.attach({
        data() {},
        drained: fill,
        end() {},
        closed: (how) => log.info(`closed: ${how}`),
      });
      fill();
    });
    return;
  }
  let bytes = 0;
  let messages = 0;
  const count = (some: Uint8Array): void => {
    bytes += some.length;
    messages += 1;
  };
  const listening = await stack.listen(PORT, (flow) => {
    flow.attach({ data: count, drained() {}, end() {}, closed() {} });
  });
  const bound = await stack.bind(PORT, { receive: count });
  if (!listening.ok || !bound.ok) throw new Error('no port');
  let saidAt = timers.now;
  const say = (): void => {
    log.info(`got ${bytes} bytes in ${messages} in ${timers.now - saidAt} us`);
    saidAt = timers.now;
    bytes = 0;
    messages = 0;
    setTimeout(say, SAY_MICROS / 1_000);
  };
  say();
};
