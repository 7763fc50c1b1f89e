/**
 * A server for iperf3's clients: `iperf3 -c ADDRESS`, also with -R (the unikernel sends), -P
 * (several connections) and -u (UDP). One test at a time, as iperf3's own server has it.
 */

import type { Endpoint, Flow, Start } from 'morgana';
import { readCookie } from './control.ts';
import type config from './morgana.config.ts';
import { IperfTest } from './test.ts';

export const start: Start<typeof config> = async ({ stack, args, timers, log }) => {
  let test: IperfTest | null = null;

  /** A connection begins with a cookie: that of the running test, or of a new one. */
  const accept = (flow: Flow): void =>
    readCookie(flow, (cookie, rest) => {
      if (test !== null && test.cookie === cookie) return test.addFlow(flow, rest);
      if (test !== null) return IperfTest.refuse(flow);
      log.info(`test with ${flow.remote.address}`);
      test = new IperfTest(cookie, flow, {
        now: () => timers.now,
        sendDatagram: (bytes, to) => socket.send(bytes, to),
        ended: (line) => {
          test = null;
          log.info(line);
        },
      });
    });

  const listening = await stack.listen(args.port, accept);
  if (!listening.ok) throw new Error(`port ${args.port}: ${listening.error.kind}`);
  const bound = await stack.bind(args.port, {
    receive: (bytes: Uint8Array, from: Endpoint) => test?.datagram(bytes, from),
  });
  if (!bound.ok) throw new Error(`port ${args.port}: ${bound.error.kind}`);
  const socket = bound.value;
  log.info(`listening on port ${args.port}`);
};
