/** What run-tests.ts has files with a process in common begin with: no test of theirs gets lost. */

import { after } from 'node:test';

let isWhole = false;
after(() => {
  isWhole = true;
});
// One of them may have ended the process, and called that a success.
process.once('exit', () => {
  if (!isWhole) process.exitCode = 1;
});
