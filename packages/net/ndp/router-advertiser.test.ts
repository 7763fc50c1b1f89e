import assert from 'node:assert/strict';
import { test } from 'node:test';
import { advertisedPrefixesMax } from '../ipv6/limits.ts';
import { type Heard, Ipv6TestLink, ip6, NEIGHBOR } from '../ipv6/test-link.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import type { NdpOption, RouterAdvertisement } from '../wire/index.ts';
import { type AdvertisedConfiguration, RouterAdvertiser } from './router-advertiser.ts';

const PREFIX = ip6('fd00:7::');
const ALL_NODES = 'ff02::1';
const fixed = { address: ip6('fd00:7::1'), prefixBits: 64, gateway: null };

const configuration = (more: Partial<AdvertisedConfiguration> = {}): AdvertisedConfiguration => ({
  lifetimeSeconds: 1_800,
  hopLimit: 64,
  mtuBytes: 1_400,
  prefixes: [prefix()],
  dnsServers: [ip6('fd00:7::1')],
  searchDomains: ['home.arpa'],
  dnsSeconds: 1_800,
  ...more,
});

const prefix = (address = PREFIX) => ({
  prefix: address,
  prefixBits: 64,
  isOnLink: true,
  isAutonomous: true,
  validSeconds: 86_400,
  preferredSeconds: 14_400,
});

class Advertising extends Ipv6TestLink {
  readonly advertiser: RouterAdvertiser;

  constructor() {
    super();
    this.start({ fixed });
    const { stack, world } = this;
    const { timers } = world;
    const entropy = world.random.fork();
    this.advertiser = new RouterAdvertiser(stack.ipv6!, stack.device.mac, timers, entropy);
    world.onCheck(() => this.advertiser.checkInvariants());
  }

  /** Advertising, the first messages over. */
  settled(): this {
    this.advertiser.configure(configuration());
    this.wait(60_000);
    this.heard.length = 0;
    return this;
  }

  ask(options: readonly NdpOption[] = [], source = NEIGHBOR, hopLimit = 255): void {
    const destination = ip6('ff02::2');
    this.sendNdp({ type: 133, options }, { source, destination, hopLimit });
  }

  takeAdvertisements(): (RouterAdvertisement & { readonly ip: Heard['ip'] })[] {
    return this.takeIpv6().flatMap(({ ip, ndp }) => (ndp?.type === 134 ? [{ ...ndp, ip }] : []));
  }

  /** Times of advertisements in seconds, for so long. */
  times(seconds: number): number[] {
    const start = this.world.timers.now;
    const times: number[] = [];
    for (let i = 0; i < seconds * 10; i++) {
      this.wait(100);
      if (this.takeAdvertisements().length > 0) times.push((this.world.timers.now - start) / 1e6);
    }
    return times;
  }
}

test('configured › all that hosts need, from the link-local address to all nodes', () => {
  const link = new Advertising();
  link.advertiser.configure(configuration());
  link.wait(3_000);
  const [first] = link.takeAdvertisements();
  assert.ok(first !== undefined);
  assert.equal(formatIpv6Address(first.ip.destination), ALL_NODES);
  assert.ok(first.ip.source.equals(link.linkLocal) && first.ip.hopLimit === 255);
  assert.equal(first.lifetimeSeconds, 1_800);
  const kinds = first.options.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['link address', 'mtu', 'prefix', 'dns servers', 'search list']);
  const option = first.options[2];
  assert.ok(option?.kind === 'prefix' && option.prefix.equals(PREFIX));
  assert.ok(option.validSeconds === 86_400 && option.isOnLink && option.isAutonomous);
});

test('no address yet that is surely ours › nothing is advertised, then it is', () => {
  const link = new Advertising();
  link.advertiser.configure(configuration());
  link.wait(100);
  assert.deepEqual(link.takeAdvertisements(), []);
  assert.equal(link.advertiser.counters.raPostponed, 1);
  link.wait(3_000);
  assert.equal(link.takeAdvertisements().length, 1);
});

test('three quick ones › then between 198 and 600 seconds apart (RFC 4861 §6.2.4)', () => {
  const link = new Advertising();
  link.wait(3_000);
  link.advertiser.configure(configuration());
  const times = link.times(3_000);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  for (const gap of gaps.slice(0, 3)) assert.ok(gap <= 16.2, `${gaps}`);
  for (const gap of gaps.slice(3)) assert.ok(gap >= 197.8 && gap <= 600.2, `${gaps}`);
  assert.ok(new Set(gaps.slice(3)).size > 1, 'at random');
});

test('a solicitation › answered to all within half a second; many › once in three seconds', () => {
  const link = new Advertising().settled();
  link.ask();
  link.wait(500);
  assert.equal(link.takeAdvertisements().length, 1);
  for (let i = 0; i < 50; i++) link.ask();
  link.wait(2_300);
  assert.deepEqual(link.takeAdvertisements(), []);
  link.wait(1_000);
  assert.equal(link.takeAdvertisements().length, 1);
});

test('an invalid solicitation › not answered (RFC 4861 §6.1.1)', () => {
  const link = new Advertising().settled();
  link.ask([], NEIGHBOR, 64);
  link.ask([link.linkAddress()], ip6('::'));
  link.ask([{ kind: 'link address', type: 1, mac: new Uint8Array(6).fill(0xff) }]);
  link.wait(10_000);
  assert.deepEqual(link.takeAdvertisements(), []);
  assert.equal(link.counter('ndpForwarded'), 1);
  assert.equal(link.counter('ndpInvalid'), 2);
});

test('a host, not told to advertise › answers no solicitation', () => {
  const link = new Ipv6TestLink().start({ fixed });
  link.wait(3_000);
  link.sendNdp({ type: 133, options: [] }, { destination: ip6('ff02::2') });
  link.sendNdp({ type: 133, options: [] });
  link.wait(5_000);
  assert.deepEqual(
    link.takeIpv6().filter(({ ndp }) => ndp?.type === 134),
    [],
  );
});

test('asked for our link address › we say that we are a router', () => {
  const link = new Advertising().settled();
  link.sendNdp({ type: 135, target: link.linkLocal, options: [link.linkAddress()] });
  const answer = link.takeIpv6().find(({ ndp }) => ndp?.type === 136)?.ndp;
  assert.ok(answer?.type === 136 && answer.isRouter);
});

test('a prefix goes › taken back three times; comes back › not any more', () => {
  const link = new Advertising().settled();
  link.advertiser.configure(configuration({ prefixes: [prefix(ip6('fd00:8::'))] }));
  link.wait(40_000);
  const messages = link.takeAdvertisements();
  const olds = messages.map(({ options }) =>
    options.find((option) => option.kind === 'prefix' && option.prefix.equals(PREFIX)),
  );
  const gone = olds.filter((option) => option !== undefined);
  assert.equal(gone.length, 3);
  for (const option of gone) assert.ok(option.kind === 'prefix' && option.preferredSeconds === 0);
  link.advertiser.configure(configuration());
  link.wait(100);
  for (const { options } of link.takeAdvertisements()) {
    const back = options.find((option) => option.kind === 'prefix' && option.prefix.equals(PREFIX));
    assert.ok(back?.kind === 'prefix' && back.preferredSeconds > 0);
  }
});

test('told to stop › three goodbyes with lifetime 0, then silence', () => {
  const link = new Advertising().settled();
  link.advertiser.configure(null);
  link.wait(30_000);
  const messages = link.takeAdvertisements();
  assert.deepEqual(
    messages.map(({ lifetimeSeconds }) => lifetimeSeconds),
    [0, 0, 0],
  );
  link.ask();
  link.wait(1_000_000);
  assert.deepEqual(link.takeAdvertisements(), []);
});

test('as many prefixes as may be › one message; one more › a broken promise', () => {
  const link = new Advertising();
  const prefixes = Array.from({ length: advertisedPrefixesMax + 1 }, (_, i) =>
    prefix(ip6(`fd00:${i + 1}::`)),
  );
  link.advertiser.configure(configuration({ prefixes: prefixes.slice(1) }));
  link.wait(3_000);
  assert.equal(link.takeAdvertisements()[0]?.options.length, advertisedPrefixesMax + 4);
  assert.throws(() => link.advertiser.configure(configuration({ prefixes })));
});
