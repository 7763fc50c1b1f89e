import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, Log, seconds } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { SimBlockDevice } from '#targets/sim/index';
import { keepCertificate } from './keep.ts';
import { SLOT_BYTES } from './store.ts';
import { TestAuthority } from './test-authority.ts';
import { AcmeBench, urlOf } from './test-bench.ts';
import { DIRECTORY } from './test-server.ts';
import type { Certified } from './tls-alpn-01.ts';

/** A machine that can be booted again with the same disk. */
class Machine extends AcmeBench {
  readonly authority = new TestAuthority(this.random, () => this.clock.wall());
  readonly lines: string[] = [];
  readonly disk: SimBlockDevice;
  installed: Certified[] = [];

  constructor(isReadOnly = false) {
    super();
    const blockCount = (2 * SLOT_BYTES) / 512;
    const options = { name: 'state', blockBytes: 512, blockCount, isReadOnly };
    this.disk = new SimBlockDevice(options, this.timers, this.random.fork());
    this.server.issue = (csr) => this.authority.issue(csr);
  }

  boot(directory = DIRECTORY, device: SimBlockDevice | null = this.disk) {
    this.installed = [];
    return keepCertificate({
      crypto: nodeCrypto,
      entropy: this.random,
      clock: this.clock,
      timers: this.timers,
      log: new Log((line) => this.lines.push(line), 'info').source('acme'),
      transport: this.server,
      device,
      directory: urlOf(directory),
      email: null,
      agreesToTerms: true,
      externalAccount: null,
      identifiers: [{ type: 'dns', value: 'a.example' }],
      challenges: ['http-01'],
      responder: this.proofs,
      install: (certified) => this.installed.push(certified),
    });
  }

  /** Time for one order, and for the disk. */
  async pass(): Promise<void> {
    const end = after(this.timers.now, seconds(30));
    for (;;) {
      for (let i = 0; i < 20; i++) await Promise.resolve();
      const next = this.timers.nextDeadline();
      if (next > end) break;
      this.timers.run(next);
    }
    this.timers.run(end);
  }
}

test('a blank disk › boot and boot again › the same account and certificate, asked for once', async () => {
  const machine = new Machine();
  const first = machine.boot();
  await machine.pass();
  assert.ok((await first).ok);
  const [certified] = machine.installed;
  assert.ok(certified !== undefined);
  const again = machine.boot();
  await machine.pass();
  assert.ok((await again).ok);
  assert.equal(machine.installed.length, 1);
  assert.deepEqual(machine.installed[0]!.chain, certified.chain);
  assert.deepEqual(machine.installed[0]!.key.pkcs8(), certified.key.pkcs8());
  assert.equal(machine.server.orders.length, 1);
});

test('no disk › boot and boot again › another account and certificate', async () => {
  const machine = new Machine();
  for (const count of [1, 2]) {
    void machine.boot(DIRECTORY, null);
    await machine.pass();
    assert.equal(machine.server.accounts.length, count);
    assert.equal(machine.server.orders.length, count);
  }
});

test('the account’s key › before the account is made › is kept', async () => {
  const machine = new Machine();
  machine.server.twist('POST /new-order', () => 'silence', 99);
  void machine.boot();
  await machine.pass();
  assert.equal(machine.server.accounts.length, 1);
  void machine.boot();
  await machine.pass();
  assert.equal(machine.server.accounts.length, 1);
});

test('another authority › boot › nothing of the first one is used', async () => {
  const machine = new Machine();
  void machine.boot();
  await machine.pass();
  void machine.boot('https://other.example/directory');
  await machine.pass();
  assert.equal(machine.server.accounts.length, 2);
  assert.equal(machine.server.orders.length, 2);
});

test('a disk that can’t be used › boot › one sentence', async () => {
  const machine = new Machine(true);
  const booted = machine.boot();
  await machine.pass();
  assert.deepEqual(await booted, { ok: false, error: "block device 'state': it is read only" });
});

test('a disk that fails later › order › the certificate is used, and the failure told', async () => {
  const machine = new Machine();
  const booted = machine.boot();
  for (let i = 0; i < 20; i++) await Promise.resolve();
  machine.server.issue = (csr) => {
    machine.disk.failure = 5;
    return machine.authority.issue(csr);
  };
  await machine.pass();
  assert.ok((await booted).ok);
  assert.equal(machine.installed.length, 1);
  assert.match(machine.lines.at(-1)!, /^warn acme: not kept, .*: the device failed with code 5$/);
});
