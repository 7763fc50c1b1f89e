/** Enough of node:test to run this package's tests in a bare engine: tests/web/engine.test.ts puts it in that module's place. */

type Body = () => unknown;
const tests: { name: string; body: Body }[] = [];

export function test(name: string, options: { skip: string | false } | Body, body?: Body): void {
  if (typeof options === 'function') tests.push({ name, body: options });
  else if (options.skip === false) tests.push({ name, body: body! });
}

export default test;

/** Runs all tests in order; one line for each failure, and a last line with the counts. */
export async function runTests(print: (line: string) => void): Promise<void> {
  let failed = 0;
  for (const { name, body } of tests) {
    try {
      await body();
    } catch (error) {
      failed++;
      print(`not ok ${name}: ${error}\n${error instanceof Error ? error.stack : ''}`);
    }
  }
  print(`${tests.length} tests, ${failed} failed`);
}
