/**
 * The suite against a server that already runs and serves examples/static-site, a booted image say:
 * MORGANA_HTTP_URL=http://localhost:8080 node --test tests/interop/http/url.test.ts
 */

import { test } from 'node:test';
import { httpSuite } from './http-suite.ts';

const url = process.env.MORGANA_HTTP_URL;

if (url === undefined) {
  test('HTTP at a URL', (context) => context.skip('MORGANA_HTTP_URL is not set'));
} else {
  httpSuite(`HTTP at ${url}`, async (limits) =>
    Object.keys(limits).length > 0 ? null : { url, stop: async () => {} },
  );
}
