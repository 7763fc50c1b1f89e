/**
 * The whole matrix, by hand: `node tests/interop/tls/main.ts --server=openssl --client=gnutls`
 * plays every cell between these two (openssl, gnutls, ours); with `--pairwise` those of
 * `npm test` only, with `--rejection` then those that must fail. Between two that aren't ours it shows that the expectations are right.
 */

import { allCells, type Cell, pairwise, play } from './cells.ts';
import { type Certificates, SPOILED, temporaryCertificates } from './certificates.ts';
import { gnutls } from './gnutls.ts';
import { openssl } from './openssl.ts';
import { ours } from './ours.ts';
import { type Party, VERSIONS } from './party.ts';
import { REASONS, refusesClient, refusesServer, strictServer, type Verdict } from './rejection.ts';

const PARTIES: readonly Party[] = [openssl, gnutls, ours];

const named = (option: string): string =>
  process.argv.find((argument) => argument.startsWith(`--${option}=`))?.split('=')[1] ?? '';

function partyOf(option: string): Party {
  const party = PARTIES.find(({ name }) => name === named(option));
  if (party !== undefined) return party;
  const names = PARTIES.map(({ name }) => name).join(', ');
  process.stderr.write(`error: --${option}= is one of ${names}\n`);
  process.exit(1);
}

/** The rejection matrix both ways; what others let pass is theirs to answer for. */
async function reject(made: Certificates): Promise<void> {
  const report = (line: string, verdict: Verdict): void => {
    process.stdout.write(`${verdict === null ? 'ok' : 'not ok'} ${line}: ${verdict ?? ''}\n`);
    if (verdict !== null) process.exitCode = 2;
  };
  for (const version of VERSIONS) {
    for (const reason of SPOILED) {
      const verdict = await refusesServer(server, client, version, reason, made).catch(
        (error: Error) => `${server.name} can't show it: ${error.message}`,
      );
      report(`TLS ${version}, server with ${reason}`, verdict);
    }
    const serving = await server.serve(strictServer(made));
    for (const reason of REASONS) {
      const verdict = await refusesClient(serving, client, version, reason, made).catch(
        (error: Error) => `${client.name} can't show it: ${error.message}`,
      );
      report(`TLS ${version}, client with ${reason}`, verdict);
    }
    await serving.stop();
  }
}

const server = partyOf('server');
const client = partyOf('client');
const choose = process.argv.includes('--pairwise') ? pairwise : (cells: Cell[]) => cells;
const made = await temporaryCertificates();
try {
  for (const version of process.argv.includes('--rejection') ? [] : VERSIONS) {
    const began = performance.now();
    const cells = choose(allCells(version));
    const failures = await play(cells, server, client, made);
    for (const { cell, why } of failures) process.stdout.write(`not ok ${cell}\n${why}\n`);
    const took = ((performance.now() - began) / 1_000).toFixed(1);
    process.stdout.write(
      `${server.name} served ${client.name}, TLS ${version}: ` +
        `${cells.length - failures.length} of ${cells.length} cells as expected, ${took} s\n`,
    );
    if (failures.length > 0) process.exitCode = 2;
  }
  if (process.argv.includes('--rejection')) await reject(made);
} finally {
  made.remove();
}
