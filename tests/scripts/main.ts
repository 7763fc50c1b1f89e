/**
 * `node tests/scripts/main.ts FILE [--pcap=FILE]`: runs one packet script and prints all that
 * happened, in the script's own words. Exit codes: 0 it went as written, 1 usage, 2 no script,
 * 5 it failed.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runScript } from './runner.ts';
import { ScriptSyntax } from './words.ts';

function main(): number {
  const { values, positionals } = parseArgs({
    options: { pcap: { type: 'string' } },
    allowPositionals: true,
  });
  const [path] = positionals;
  if (path === undefined || positionals.length !== 1) {
    console.error('usage: node tests/scripts/main.ts FILE [--pcap=FILE]');
    return 1;
  }
  try {
    const { trace, failure, pcap } = runScript(readFileSync(path, 'utf8'));
    if (values.pcap !== undefined) writeFileSync(values.pcap, pcap);
    if (failure !== null) {
      console.error(`${path} ${failure}`);
      return 5;
    }
    for (const line of trace) console.log(line);
    return 0;
  } catch (error) {
    if (!(error instanceof ScriptSyntax)) throw error;
    console.error(`${path} ${error.message}`);
    return 2;
  }
}

process.exitCode = main();
