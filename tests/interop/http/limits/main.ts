/** The example site behind limits that the command line sets: the suite's slow clients need it. */

import type { Start } from 'morgana';
import { HttpServer, StaticSite } from 'morgana/http';
import { type Duration, millis } from '#core';
import type config from './morgana.config.ts';

const duration = (micros: number): Duration => millis(micros / 1_000);

export const start: Start<typeof config> = async ({ stack, site, args, log, clock, timers }) => {
  const limits = {
    idleMax: duration(args.idleMax),
    headMax: duration(args.headMax),
    progressEvery: duration(args.progressEvery),
    lingerMax: duration(args.lingerMax),
  };
  const handler = new StaticSite(site, clock);
  const server = new HttpServer({ handler, timers, clock, log, limits });
  const listening = await stack.listen(80, (flow) => server.accept(flow));
  if (!listening.ok) throw new Error(listening.error.kind);
  log.info('listening on port 80');
};
