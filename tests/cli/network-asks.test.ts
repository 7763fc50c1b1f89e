/** Fixed leases, probes and ports of any number of a network in this process. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Failure } from '../../tools/cli/failure.ts';
import { leaseFlag, parseCommandLine } from '../../tools/cli/flags.ts';
import { NetworkClient } from '../../tools/cli/network/control-client.ts';
import { LEASES_MAX, type StaticLease } from '../../tools/cli/network/gateway.ts';
import { macOfGateway, macOnNetwork } from '../../tools/cli/network/mac.ts';
import { PROBE_MILLIS_MAX, parseRequest } from '../../tools/cli/network/messages.ts';
import { Network } from '../../tools/cli/network/network.ts';
import { switchVerb } from '../../tools/cli/network/switch-verb.ts';
import { VERBS } from '../../tools/cli/verbs.ts';
import { Workspace } from './cli.ts';

const work = new Workspace();

const open = (name: string, gateway: string | null, leases: readonly StaticLease[]) =>
  Network.open({
    name,
    switchSocket: work.path(`${name}.sock`),
    controlSocket: work.path(`${name}-control.sock`),
    pcap: null,
    impairment: null,
    gateway,
    leases,
    allowsHost: false,
    seed: 1,
    lingerMillis: 0,
    say: () => {},
  });

const networks: Network[] = [];
let client: NetworkClient;
before(async () => {
  const leases = [{ mac: '02:00:00:00:00:01', address: '10.77.0.3' }];
  networks.push(await open('lab', '10.77.0.0/27', leases), await open('bare', null, []));
  client = (await NetworkClient.connect(work.path('lab-control.sock')))!;
});
after(async () => {
  client.close();
  for (const network of networks) await network.close();
  work.remove();
});

test('the gateway’s station address › is no unikernel’s', () => {
  assert.notEqual(macOfGateway('lab'), macOnNetwork('lab', 'gateway'));
  assert.equal(macOfGateway('lab'), macOfGateway('lab'));
  assert.notEqual(macOfGateway('lab'), macOfGateway('lap'));
});

test('--lease › a station and its address; what is neither is refused', () => {
  const [lease] = leaseFlag.read('02:00:00:00:00:0f=10.77.0.9') ?? [];
  assert.deepEqual(lease, { mac: '02:00:00:00:00:0f', address: '10.77.0.9' });
  for (const text of ['', '10.77.0.9', '01:00:00:00:00:01=10.77.0.9', '02:0:0:0:0:1=10.77.0.9']) {
    assert.equal(leaseFlag.read(text), null, text);
  }
});

const [first, second] = ['02:00:00:00:00:01', '02:00:00:00:00:02'] as const;
const REFUSED: readonly [string, StaticLease[], RegExp][] = [
  ['no address', [{ mac: first, address: '10.77.0.999' }], /=10\.77\.0\.999: no host of the net/],
  ['another network', [{ mac: first, address: '10.77.1.3' }], /no host of the network, give it an/],
  ['the network', [{ mac: first, address: '10.77.0.0' }], /no host of the network/],
  ['its broadcast', [{ mac: first, address: '10.77.0.31' }], /no host of the network/],
  ['the gateway', [{ mac: first, address: '10.77.0.1' }], /that address is taken/],
  ['the host', [{ mac: first, address: '10.77.0.2' }], /that address is taken/],
  [
    'one for two',
    [first, second].map((mac) => ({ mac, address: '10.77.0.3' })),
    /^--lease=02:00:00:00:00:02=10\.77\.0\.3: that address is taken/,
  ],
  [
    'two for one',
    ['10.77.0.3', '10.77.0.4'].map((address) => ({ mac: first, address })),
    /that station has a lease already/,
  ],
];
for (const [what, leases, message] of REFUSED) {
  test(`a fixed lease › ${what} › one sentence`, async () => {
    await assert.rejects(open('bad', '10.77.0.0/27', leases), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, message);
      return true;
    });
  });
}

test('fixed leases › as many as may be beside the largest pool, and one more', async () => {
  const many = (count: number): StaticLease[] =>
    Array.from({ length: count }, (_, i) => {
      return { mac: `02:00:00:00:01:${(i + 16).toString(16)}`, address: `10.77.200.${i + 1}` };
    });
  await (await open('many', '10.77.0.0/16', many(LEASES_MAX))).close();
  await assert.rejects(open('many', '10.77.0.0/16', many(LEASES_MAX + 1)), /65 are too many --lea/);
});

test('fixed leases › without a gateway › refused', async () => {
  const words = ['--socket=none.sock', '--gateway=off', '--lease=02:00:00:00:00:01=10.77.0.9'];
  const line = parseCommandLine(words, VERBS.switch.flags, 0);
  assert.ok(line.ok);
  await assert.rejects(switchVerb(line.value), /^Failure: --lease is given by the gateway, leave/);
});

test('a fixed lease › the first and the last address that can be given', async () => {
  const leases = [
    { mac: first, address: '10.77.0.3' },
    { mac: second, address: '10.77.0.30' },
  ];
  await (await open('edges', '10.77.0.0/27', leases)).close();
});

const probe = (guest: string, timeoutMillis: number) =>
  client.ask({ ask: 'probe', guest, guestPort: 80, timeoutMillis });

test('a probe › of a name that nobody has, of an address where nobody is', async () => {
  assert.equal(await probe('web', 1_000), "nobody is called 'web' yet");
  assert.equal(await probe('10.77.0.9', 20), 'no connection within 20 ms');
});

test('a probe › out of bounds › refused', async () => {
  const ask = { id: 1, ask: 'probe', guest: 'web', guestPort: 80, timeoutMillis: PROBE_MILLIS_MAX };
  assert.ok(parseRequest(JSON.stringify(ask)).ok);
  const odd = [{ timeoutMillis: PROBE_MILLIS_MAX + 1 }, { timeoutMillis: 0 }, { guestPort: 0 }];
  for (const change of odd) assert.ok(!parseRequest(JSON.stringify({ ...ask, ...change })).ok);
});

test('a port of any number › is told, and can be withdrawn', async () => {
  const host = { hostAddress: '127.0.0.1', protocol: 'tcp' } as const;
  const asked = { ...host, ask: 'publish', hostPort: 0, guest: 'web', guestPort: 80 } as const;
  const answers = [await client.ask(asked), await client.ask(asked)] as { hostPort: number }[];
  const [one, two] = answers.map(({ hostPort }) => hostPort);
  assert.ok(one! > 0 && two! > 0 && one !== two);
  await client.ask({ ...host, ask: 'unpublish', hostPort: one! });
  await assert.rejects(client.ask({ ...host, ask: 'unpublish', hostPort: one! }), /not published/);
});

test('without a gateway › neither', async () => {
  const bare = (await NetworkClient.connect(work.path('bare-control.sock')))!;
  const ask = { guest: 'web', guestPort: 80 };
  await assert.rejects(bare.ask({ ask: 'probe', ...ask, timeoutMillis: 1 }), /no gateway to ask/);
  const host = { hostAddress: '127.0.0.1', hostPort: 0, protocol: 'tcp' } as const;
  await assert.rejects(bare.ask({ ask: 'publish', ...ask, ...host }), /has no gateway/);
  bare.close();
});
