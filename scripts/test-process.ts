/** run-tests.ts loads it in each process of tests: no test gets lost, and no process hangs. */

import { after } from 'node:test';

/** What tests opened may take so long to end when they have; node's time limit is for tests. */
const END_MILLIS_MAX = 60_000;

let isWhole = false;
after(() => {
  isWhole = true;
  const late = setTimeout(() => {
    process.stderr.write(`error: open after the tests: ${process.getActiveResourcesInfo()}\n`);
    process.exit(1);
  }, END_MILLIS_MAX);
  late.unref();
});
// A test may have ended the process, and called that a success.
process.once('exit', () => {
  if (!isWhole) process.exitCode = 1;
});
