/** The Piñata: it gives its secret to whoever proves to be the Piñata, and to nobody else. */

import type { Flow, Start } from 'morgana';
import { linked } from 'morgana/linked';
import {
  acceptTls,
  connectTls,
  formatTlsError,
  primitives,
  tlsClientConfig,
  tlsServerConfig,
} from 'morgana/tls';
import { makeIdentities } from './authority.ts';
import type config from './morgana.config.ts';
import { page } from './page.ts';
import { Visitors } from './visitors.ts';

/** Where the Piñata calls back whoever knocked at port 10001. */
const CALL_BACK_PORT = 40_001;

type Opened = Parameters<typeof acceptTls>[3];

export const start: Start<typeof config> = async (context) => {
  const { stack, args, log, clock, entropy, timers } = context;
  const environment = { crypto: primitives, entropy, clock, timers };
  const { anchors, authority, web, server, client } = makeIdentities(context, args['test-ca']);
  const html = page({ authority, isTestAuthority: args['test-ca'], linked });
  const answer = new TextEncoder().encode(html);
  const secret = new TextEncoder().encode(args.secret);

  const pageTls = tlsServerConfig({ credentials: () => web, alpn: ['http/1.1'] });
  const both = { clientAuth: 'required', clientAnchors: anchors } as const;
  const serverTls = tlsServerConfig({ credentials: () => server, ...both });
  const clientTls = tlsClientConfig({ serverName: null, anchors, credentials: client });

  const visitors = new Visitors();
  /** What to do once both ends are who they should be, or aren't. */
  const give = (what: Uint8Array, port: number, { address }: Flow['remote']): Opened => {
    return (result) => {
      if (result.ok) return visitors.tell(result.value, what);
      visitors.leave();
      log.info(`${port}: ${address}: ${formatTlsError(result.error)}`);
    };
  };
  const listen = async (port: number, welcome: (flow: Flow) => void): Promise<void> => {
    const listening = await stack.listen(port, (flow) => {
      if (visitors.admit(flow)) welcome(flow);
    });
    if (!listening.ok) throw new Error(`port ${port}: ${listening.error.kind}`);
  };
  const serve = (flow: Flow, tls: typeof pageTls, what: Uint8Array, port: number) =>
    acceptTls(flow, tls, environment, give(what, port, flow.remote));
  const call = (flow: Flow, port: number) =>
    connectTls(flow, clientTls, environment, give(secret, port, flow.remote));

  await listen(80, (flow) => visitors.tell(flow, answer));
  await listen(443, (flow) => serve(flow, pageTls, answer, 443));
  await listen(10_000, (flow) => serve(flow, serverTls, secret, 10_000));
  await listen(10_001, (flow) => {
    const { address } = flow.remote;
    visitors.tell(flow, new Uint8Array(0));
    if (!visitors.admitCall()) return;
    stack.connect(address, CALL_BACK_PORT, (result) => {
      if (result.ok) return call(result.value, 10_001);
      visitors.leave();
      log.info(`10001: ${address}: ${result.error.kind}`);
    });
  });
  await listen(10_002, (flow) => call(flow, 10_002));
  log.info('listening on ports 80, 443, 10000, 10001 and 10002');
};
