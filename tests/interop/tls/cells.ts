/**
 * The matrix of handshakes that must succeed: versions, suites, groups, with and without a retry,
 * signatures, client certificates. Each cell leaves one choice only, so what comes out is known.
 */

import assert from 'node:assert/strict';
import { type Certificates, KEY_KINDS, type KeyKind, SERVER_NAME } from './certificates.ts';
import {
  type ClientOutcome,
  type ClientSettings,
  ECHO,
  GROUPS,
  type Group,
  type Outcome,
  type Party,
  SCHEMES,
  type Scheme,
  type ServerSettings,
  type Serving,
  SUITES_12,
  SUITES_13,
  type Suite,
  type Version,
} from './party.ts';

const HELLOS = ['share', 'retry'] as const;
/** What the server asks for, and what the client has. */
const CLIENT_AUTH = [
  'none',
  'optional, none',
  'optional, p256',
  ...KEY_KINDS.map((kind) => `required, ${kind}`),
];

export interface Cell {
  readonly version: Version;
  readonly suite: Suite;
  readonly group: Group;
  /** Whether the client's first hello has a share of the group; TLS 1.2 has no shares. */
  readonly hello: (typeof HELLOS)[number];
  readonly scheme: Scheme;
  readonly clientAuth: string;
}

export const nameOf = (cell: Cell): string => Object.values(cell).join(' ');

export const keyOf = (scheme: Scheme): KeyKind =>
  scheme.startsWith('rsa') ? 'rsa' : scheme.includes('256r1') ? 'p256' : 'p384';

/** Whether there is such a handshake. */
function isCell({ version, suite, hello, scheme }: Cell): boolean {
  if (version === '1.3')
    return (SUITES_13 as readonly Suite[]).includes(suite) && !scheme.startsWith('rsa_pkcs1');
  return (
    (SUITES_12 as readonly Suite[]).includes(suite) &&
    hello === 'share' &&
    suite.includes('_RSA_') === (keyOf(scheme) === 'rsa')
  );
}

const DIMENSIONS = {
  suite: [...SUITES_13, ...SUITES_12],
  group: GROUPS,
  hello: HELLOS,
  scheme: SCHEMES,
  clientAuth: CLIENT_AUTH,
} as const;

/** Every cell of a version. */
export function allCells(version: Version): Cell[] {
  let cells: Record<string, string>[] = [{ version }];
  for (const [name, values] of Object.entries(DIMENSIONS))
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [name]: value })));
  return (cells as unknown as Cell[]).filter(isCell);
}

/** Some of `cells`: each pair of values that one of them has, one of the chosen has. */
export const pairwise = (cells: readonly Cell[]): Cell[] => cover(cells, pairsOf);

/** Fewer: each value that one of them has, one of the chosen has. */
export const eachValue = (cells: readonly Cell[]): Cell[] => cover(cells, valuesOf);

/** Greedy. */
function cover(cells: readonly Cell[], partsOf: (cell: Cell) => string[]): Cell[] {
  const missing = new Set(cells.flatMap(partsOf));
  const gain = (cell: Cell): number => partsOf(cell).filter((part) => missing.has(part)).length;
  const chosen: Cell[] = [];
  while (missing.size > 0) {
    const best = cells.reduce((one, other) => (gain(other) > gain(one) ? other : one));
    for (const part of partsOf(best)) missing.delete(part);
    chosen.push(best);
  }
  return chosen;
}

const valuesOf = (cell: Cell): string[] =>
  Object.entries(cell).map(([name, value]) => `${name}=${value}`);

function pairsOf(cell: Cell): string[] {
  const values = valuesOf(cell);
  return values.flatMap((one, at) => values.slice(at + 1).map((other) => `${one} ${other}`));
}

const groupsFrom = (first: Group): Group[] => [first, ...GROUPS.filter((one) => one !== first)];

const serverOf = (cell: Cell, made: Certificates): ServerSettings => ({
  credentials: [made.good('server', keyOf(cell.scheme))],
  versions: ['1.2', '1.3'],
  suites: null,
  // In TLS 1.2 the curves of certificates must be among them (RFC 8422 §5.1).
  groups: cell.version === '1.3' ? [cell.group] : groupsFrom(cell.group),
  alpn: [],
  anchors: made.anchors,
  clientAuth: cell.clientAuth.replace(/,.*/, '') as ServerSettings['clientAuth'],
  resumption: 'none',
  recordBytes: null,
});

/** How a client must be set for this cell and no other. */
export function clientOf(cell: Cell, made: Certificates): ClientSettings {
  const [first, ...others] = groupsFrom(cell.group);
  const kind = cell.clientAuth.replace(/.*, /, '') as KeyKind;
  const credential = KEY_KINDS.includes(kind) ? made.good('client', kind) : null;
  return {
    versions: [cell.version],
    suites: [cell.suite],
    groups: cell.hello === 'share' ? [first!, ...others] : [...others, first!],
    alpn: [],
    anchors: made.anchors,
    serverName: SERVER_NAME,
    schemes: credential === null ? [cell.scheme] : schemesOf(cell.scheme, kind),
    credential,
    verify: true,
    recordBytes: null,
  };
}

/** Openssl's client signs with one of those that it verifies. */
const schemesOf = (scheme: Scheme, own: KeyKind): Scheme[] =>
  keyOf(scheme) === own
    ? [scheme]
    : [scheme, ...SCHEMES.filter((one) => keyOf(one) === own).slice(0, 1)];

/** A cell that came out in another way than it must. */
export interface Failure {
  readonly cell: string;
  readonly why: string;
}

/** Plays `cells` with one party as the server, another as the client; a server serves many. */
export async function play(
  cells: readonly Cell[],
  server: Party,
  client: Party,
  made: Certificates,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  const bySettings = Map.groupBy(cells, (cell) => JSON.stringify(serverOf(cell, made)));
  const lanes = [...bySettings.values()].values();
  const lane = async (): Promise<void> => {
    for (const group of lanes) {
      const serving = await server.serve(serverOf(group[0]!, made));
      for (const cell of group) {
        const why = await playOne(cell, serving, client, made);
        if (why !== null) failures.push({ cell: nameOf(cell), why });
      }
      await serving.stop();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return failures;
}

const LANES = 3;

async function playOne(
  cell: Cell,
  serving: Serving,
  client: Party,
  made: Certificates,
): Promise<string | null> {
  const before = serving.outcomes().length;
  const outcome = await client.connect(serving.port, clientOf(cell, made), ECHO);
  await serving.told(before + 1);
  const served = serving.outcomes().slice(before);
  try {
    check(cell, outcome, served);
    return null;
  } catch (error) {
    const words = served.map((one) => one.words).join('');
    return `${(error as Error).message}\nclient: ${outcome.words}\nserver: ${words}`;
  }
}

function check(cell: Cell, outcome: ClientOutcome, served: readonly Outcome[]): void {
  assert.deepEqual(outcome.received.toString(), ECHO.send.toString());
  assert.equal(served.length, 1);
  for (const end of [outcome, ...served]) {
    assert.equal(end.established, true);
    assert.equal(end.alertIn ?? end.alertOut, null);
    assert.equal(end.version ?? cell.version, cell.version);
    assert.equal(end.suite ?? cell.suite, cell.suite);
    assert.equal(end.group ?? cell.group, cell.group);
    assert.equal(end.resumed ?? false, false);
  }
}
