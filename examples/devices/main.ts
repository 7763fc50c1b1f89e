/**
 * A graph of devices: one TCP/IP stack carries a website and, on another port, a counter of
 * callers.
 */

import type { Start } from 'morgana';
import { StaticSite, serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async (context) => {
  const { stack, site, args, log, clock } = context;
  await serveHttp(stack, args.port, new StaticSite(site, clock), context);

  let callers = 0;
  const counter = await stack.listen(args.counterPort, (flow) => {
    callers += 1;
    const line = `${args.greeting} ${callers} of this boot\n`;
    flow.attach({ data() {}, drained() {}, end() {}, closed() {} });
    flow.write(new TextEncoder().encode(line));
    flow.shutdown();
  });
  if (!counter.ok) throw new Error(`port ${args.counterPort}: ${counter.error.kind}`);
  log.info(`counting callers on port ${counter.value.port}`);
};
