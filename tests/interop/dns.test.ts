/**
 * Our resolver against dnsmasq, and dig against messages that we write: both on the loopback of
 * this machine, over host sockets.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as patience } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dnsType, type Outcome, Resolver, StackTransport } from '#dns';
import { HostStack } from '../../targets/node/host-stack.ts';
import { createMachine } from '../../targets/node/launch.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { freePort } from '../cli/cli.ts';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { leashed } from '../helpers/machine.ts';

const TOOLS = ['/usr/sbin/dnsmasq', '/usr/bin/dig'];
const missing = TOOLS.filter((tool) => !existsSync(tool));
const skip = missing.length === 0 ? false : `not installed: ${missing.join(', ')}; npm run setup`;
const HOST = '127.0.0.1';
const TEXT = 'x'.repeat(250);

const loop = new NodeLoop();
const stack = new HostStack(loop);
const { entropy } = createMachine(loop, { bootArguments: [], content: {}, publish: [] });
let server: ChildProcess;
let port = 0;

function resolverOf(ports: readonly number[], search: readonly string[] = []): Resolver {
  const resolver = new Resolver({
    transport: new StackTransport(stack),
    timers: loop.timers,
    entropy,
  });
  const servers = ports.map((one) => ({ address: HOST, port: one }));
  resolver.configure({ servers, search, ndots: 1 });
  return resolver;
}

const ask = (resolver: Resolver, name: string, type: number): Promise<Outcome> =>
  new Promise((resolve) => {
    loop.turn(() => resolver.resolve(name, type, resolve));
  });

const dig = async (...words: string[]): Promise<string[]> => {
  const { stdout } = await promisify(execFile)('dig', ['+time=2', '+tries=2', ...words]);
  return stdout.trim().split('\n');
};

/** What dig prints of records with +short, for what we read. */
function shortOf(outcome: Outcome): string[] {
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error.kind);
  return outcome.value.records.map((data) => {
    switch (data.kind) {
      case 'address':
        return data.address;
      case 'name':
        return `${data.name}.`;
      case 'mx':
        return `${data.preference} ${data.exchange}.`;
      case 'srv':
        return `${data.priority} ${data.weight} ${data.port} ${data.target}.`;
      case 'txt':
        return data.texts.map((text) => `"${Buffer.from(text)}"`).join(' ');
      default:
        return data.kind;
    }
  });
}

describe('dnsmasq', { skip }, () => {
  before(async () => {
    port = await freePort();
    server = spawn(
      ...leashed('dnsmasq', [
        ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
        ...['--user=root', '--pid-file=', '--log-facility=/dev/null', '--bind-interfaces'],
        ...[`--port=${port}`, `--listen-address=${HOST}`, '--local=/example/', '--local-ttl=60'],
        ...['--host-record=web.example,192.0.2.80,2001:db8::80', '--cname=www.example,web.example'],
        ...['--mx-host=example,mail.example,10', '--srv-host=_x._tcp.example,web.example,80,1,2'],
        ...[
          '--txt-record=text.example,one,two',
          '--ptr-record=80.2.0.192.in-addr.arpa,web.example',
        ],
        ...Array.from({ length: 12 }, (_, i) => `--txt-record=long.example,${i}${TEXT}`),
      ]),
      { stdio: 'ignore' },
    );
    const until = performance.now() + 60_000;
    while (!(await ask(resolverOf([port]), 'web.example', 1)).ok) {
      assert.ok(performance.now() < until, 'dnsmasq does not start');
      await patience(50);
    }
  });
  after(() => server.kill('SIGKILL'));

  for (const [name, type] of [
    ['web.example', 'a'],
    ['web.example', 'aaaa'],
    ['example', 'mx'],
    ['_x._tcp.example', 'srv'],
    ['text.example', 'txt'],
    ['80.2.0.192.in-addr.arpa', 'ptr'],
    ['www.example', 'cname'],
  ] as const) {
    test(`${type} of ${name} › as dig has it`, async () => {
      const ours = shortOf(await ask(resolverOf([port]), name, dnsType[type]));
      assert.deepEqual(ours, await dig('+short', `@${HOST}`, '-p', String(port), name, type));
      assert.ok(ours.length > 0);
    });
  }

  test('an alias › its target’s address', async () => {
    const outcome = await ask(resolverOf([port]), 'www.example', dnsType.a);
    assert.deepEqual(shortOf(outcome), ['192.0.2.80']);
    assert.ok(outcome.ok && outcome.value.name === 'web.example');
  });

  test('an answer that is too long for a datagram › by TCP', async () => {
    const resolver = resolverOf([port]);
    const texts = shortOf(await ask(resolver, 'long.example', dnsType.txt));
    assert.equal(texts.length, 12);
    assert.equal(resolver.counters().dnsStreams, 1);
  });

  test('no such name, no such record › said; a search list › used', async () => {
    const kindOf = async (resolver: Resolver, name: string, type: number) => {
      const outcome = await ask(resolver, name, type);
      return outcome.ok ? 'ok' : outcome.error.kind;
    };
    assert.equal(await kindOf(resolverOf([port]), 'none.example', dnsType.a), 'name not found');
    assert.equal(await kindOf(resolverOf([port]), 'text.example', dnsType.a), 'no such record');
    assert.equal(await kindOf(resolverOf([port], ['example']), 'web', dnsType.a), 'ok');
    // It forwards nothing, and refuses what isn't its own.
    assert.equal(await kindOf(resolverOf([port]), 'other.test', dnsType.a), 'name servers failed');
  });

  test('a dead server before it › the next one answers, and is asked first from then on', async () => {
    const resolver = resolverOf([await freePort(), port]);
    assert.deepEqual(shortOf(await ask(resolver, 'web.example', dnsType.a)), ['192.0.2.80']);
    await ask(resolver, 'web.example', dnsType.aaaa);
    assert.equal(resolver.counters().dnsRetries, 1);
  });
});

test('dig › reads what we write: compression, aliases, truncation, TCP', { skip }, async () => {
  const data = { kind: 'name', name: 'web.example' } as const;
  const own = await new TestDnsServer([
    address('web.example', '192.0.2.80'),
    address('web.example', '2001:db8::80'),
    { name: 'www.example', type: dnsType.cname, class: 1, ttlSeconds: 60, data },
    ...Array.from({ length: 200 }, (_, i) => address('many.example', `192.0.2.${i}`)),
  ]).serve(stack, 0);
  const at = [`@${HOST}`, '-p', String(own.port), '+short'];
  assert.deepEqual(await dig(...at, 'www.example', 'a'), ['web.example.', '192.0.2.80']);
  assert.deepEqual(await dig(...at, 'web.example', 'aaaa'), ['2001:db8::80']);
  assert.equal((await dig(...at, 'many.example', 'a')).length, 200);
  assert.deepEqual(own.queries.slice(-2), ['udp many.example 1', 'tcp many.example 1']);
  own.close();
});
