/** `morgana inspect` on a unikernel under load, with Linux's curl and tcpdump as its peers. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { UnikernelSnapshot } from '#inspect';
import { Workspace } from '../cli/cli.ts';
import { buildImage, leashed, output } from '../helpers/machine.ts';
import { cannotTap, without } from '../helpers/namespace.ts';
import { eventually } from '../interop/linux/network.ts';
import { cannotRun } from '../process/process.ts';
import { messages, rsyslogCommand } from './rsyslog.ts';
import { LINUX, MAIN, RunningUnikernel, UNIKERNEL } from './running.ts';

const skip = cannotRun || cannotTap || without('tcpdump', 'rsyslogd', 'ss');
const MANAGEMENT = 9_100;
const TOKEN = 'an-operators-secret-of-this-test';
const URL = `http://${UNIKERNEL}`;

describe('a process under load', { skip, timeout: 180_000 }, () => {
  const work = new Workspace();
  let running: RunningUnikernel;

  before(async () => {
    const image = await buildImage('tests/inspect/app', '--target=process');
    const given = [
      `--management-port=${MANAGEMENT}`,
      `--management-token=${TOKEN}`,
      `--syslog=udp://${LINUX}:514`,
    ];
    running = await RunningUnikernel.open(work, image, 'app', given, async (net) => {
      net.start(...rsyslogCommand(work, LINUX, 514, 514));
      await eventually('rsyslogd', async () => {
        return (await net.run('ss', '-lun')).includes(':514') || null;
      });
    });
  });
  after(async () => {
    await running?.close();
    work.remove();
  });

  async function snapshot(...words: string[]): Promise<UnikernelSnapshot> {
    const { code, stdout, stderr } = await running.inspect('app', '--json', ...words).ended;
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  /** Somebody who asks for much and reads nothing. */
  const hold = (): void => {
    const request = 'GET /large HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n';
    const script = `exec 3<>/dev/tcp/${UNIKERNEL}/80; printf '${request}' >&3; exec sleep 9`;
    running.net.start('bash', '-c', script);
  };

  test('--json › a slow reader › its connection with all that TCP knows of it', async () => {
    hold();
    const { stack, one } = await eventually('the connection', async () => {
      const { stack } = (await snapshot()).stacks;
      const one = stack!.connections.list.find(({ sendQueueBytes }) => sendQueueBytes! > 0);
      return one === undefined ? null : { stack: stack!, one };
    });
    assert.match(one.remote, new RegExp(`^${LINUX.replaceAll('.', '\\.')}:\\d+$`));
    assert.equal(one.local, `${UNIKERNEL}:80`);
    assert.equal(one.state, 'ESTABLISHED');
    assert.ok(one.rtoMicros! >= 200_000 && one.rttVarianceMicros! > 0);
    assert.ok(one.congestionWindowBytes! >= 1_448 && one.segmentBytes! >= 1_448);
    assert.ok(one.memoryBytes! >= 2_048);
    assert.deepEqual(stack.listeners, [MANAGEMENT, 80]);
    assert.equal(stack.neighbors![0]!.address, LINUX);
    assert.equal(stack.neighbors![0]!.state, 'reachable');
    assert.ok(stack.memory!.accounts.connections!.usedBytes > 0);
  });

  test('--once › rates and reasons', async () => {
    hold();
    await running.net.run('bash', '-c', `echo x > /dev/udp/${UNIKERNEL}/9`);
    const { code, stdout, stderr } = await running.inspect('--once').ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, / in +udp no port/);
    assert.match(stdout, /^app \(looked-into\) on process \| up 0:00:\d\d/);
    assert.match(stdout, /listening on 9100 80, UDP \d+/);
    assert.match(stdout, /remote +local +state/);
    assert.match(stdout, new RegExp(`${LINUX}:\\d+ +${UNIKERNEL}:80 +ESTABLISHED`));
  });

  test('--log, --follow › a level changed live is seen', async () => {
    const follow = running.inspect('app', '--follow');
    await running.net.run('curl', '-s', '-o', '/dev/null', `${URL}/before`);
    const set = await running.inspect('app', '--log=info,looked-into:debug').ended;
    assert.equal(set.code, 0);
    assert.match(set.stderr, /looked-into:debug/);
    await eventually('the line', async () => {
      await running.net.run('curl', '-s', '-o', '/dev/null', `${URL}/after`);
      return /^\[\d+\.\d+\] debug looked-into: asked for \/after$/m.test(follow.stdout) || null;
    });
    assert.doesNotMatch(follow.stdout, /before/);
    const wrong = await running.inspect('app', '--log=loud').ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /error: expected debug, info/);
    follow.child.kill('SIGINT');
    assert.equal((await follow.ended).code, 0);
  });

  test('--pcap=- › tcpdump reads it as it comes: only the port asked for', async () => {
    const tool = [MAIN, 'inspect', 'app', '--pcap=-', '--port=80'];
    const env = { ...process.env, MORGANA_RUNTIME_DIR: work.path('.run') };
    const inspect = spawn(...leashed(process.execPath, tool), { env });
    const words = ['-n', '-l', '-r', '-', '-c', '3'];
    const tcpdump = spawn(...leashed('tcpdump', words), { stdio: ['pipe', 'pipe', 'ignore'] });
    inspect.stdout.pipe(tcpdump.stdin);
    tcpdump.stdin.on('error', () => {});
    const ended = once(inspect, 'close');
    let text = '';
    tcpdump.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const done = once(tcpdump, 'close');
    for (let i = 0; i < 100 && tcpdump.exitCode === null; i++) {
      await running.net.run('ping', '-c', '1', '-W', '2', UNIKERNEL);
      await running.net.run('curl', '-s', '-o', '/dev/null', URL);
    }
    await done;
    inspect.kill('SIGINT');
    assert.equal((await ended)[0], 0);
    const lines = text.trim().split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines)
      assert.match(line, / IP 10\.97\.3\.[12]\.\d+ > 10\.97\.3\.[12]\.\d+: /);
  });

  test('--pcap=FILE › whole conversations, in order, cut to --snap-bytes', async () => {
    const file = work.path('frames.pcap');
    const inspect = running.inspect('app', `--pcap=${file}`, '--snap-bytes=80');
    await eventually('the file', () => {
      try {
        return readFileSync(file).length > 0 ? true : null;
      } catch {
        return null;
      }
    });
    await running.net.run('curl', '-s', '-o', '/dev/null', URL);
    inspect.child.kill('SIGINT');
    const { code, stderr } = await inspect.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^morgana: \d+ frames, 0 dropped$/m);
    const text = await output('tcpdump', ['-n', '-r', file, 'tcp port 80']);
    assert.match(text, /Flags \[S\].*\n.*Flags \[S\.\]/);
    assert.match(text, /Flags \[P\.\].*GET|HTTP: GET|length \d+: HTTP/);
  });

  test('--profile › names the hot function, for speedscope', async () => {
    const file = work.path('profile.json');
    const profile = running.inspect('app', '--profile=1', `--output=${file}`);
    const ended = profile.ended;
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    for (let i = 0; i < 100 && !isOver; i++) {
      await running.net.run('curl', '-s', '-o', '/dev/null', `${URL}/burn?[1-50]`);
    }
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout.split('\n')[0]!, /^ *\d+\.\d % {2}burnCycles /);
    const { shared, profiles } = JSON.parse(readFileSync(file, 'utf8'));
    const frames: string[] = shared.frames.map(({ name }: { name: string }) => name);
    const under = profiles[0].samples.find(
      (stack: number[]) => frames[stack.at(-1)!] === 'burnCycles',
    );
    assert.ok(under.length > 1, 'with who called it');
  });

  test('--json › heap by kind, event loop, timers', async () => {
    const { heap, loop, timers } = await snapshot();
    assert.ok(heap!.kinds.objects!.count > 1_000 && heap!.kinds.bytecode!.bytes > 10_000);
    assert.ok(heap!.usedBytes < heap!.totalBytes);
    assert.ok(loop!.turns > 0 && loop!.busyMicros < loop!.micros);
    assert.ok(timers.count > 0);
  });

  const curl = (...words: string[]): Promise<string> =>
    running.net.run('curl', '-s', '-m', '10', '-H', `Authorization: Bearer ${TOKEN}`, ...words);
  const management = `http://${UNIKERNEL}:${MANAGEMENT}`;

  test("GET /metrics › Prometheus' own parser reads it, with what happened", async () => {
    const text = await curl(`${management}/metrics`);
    const script = path.join(import.meta.dirname, 'exposition.py');
    const python = spawn(...leashed('/usr/bin/python3', [script]));
    let parsed = '';
    python.stdout.on('data', (chunk) => {
      parsed += chunk;
    });
    python.stdin.end(text);
    assert.equal((await once(python, 'close'))[0], 0);
    const families = JSON.parse(parsed);
    assert.deepEqual(families.morgana_info.samples, [
      ['morgana_info', { name: 'looked-into', target: 'process' }, 1],
    ]);
    const drops = families.morgana_dropped_packets;
    assert.equal(drops.type, 'counter');
    const noPort = drops.samples.find((sample: [string, { reason: string }, number]) => {
      return sample[1].reason === 'udp_no_port';
    });
    assert.ok(noPort[2] >= 1);
    assert.ok(families.morgana_tcp_segments_in.samples[0][2] > 10);
    const bytes = Object.keys(families).length;
    assert.ok(bytes > 50, `${bytes} families`);
  });

  test('GET /pcap › frames, without those that carry it', async () => {
    const file = work.path('management.pcap');
    // Unbuffered, so that the file grows while it lasts.
    const words = ['-N', '-m', '2', '-o', file, `${management}/pcap`];
    const taken = curl(...words).catch(() => '');
    await eventually('the file', () => {
      try {
        return readFileSync(file).length > 0 || null;
      } catch {
        return null;
      }
    });
    await running.net.run('curl', '-s', '-o', '/dev/null', URL);
    await taken;
    assert.match(await output('tcpdump', ['-n', '-r', file, 'tcp port 80']), /Flags \[S\]/);
    assert.equal(await output('tcpdump', ['-n', '-r', file, `tcp port ${MANAGEMENT}`]), '');
  });

  test('syslog › rsyslogd understands every part of a message', async () => {
    const [first] = await eventually('messages', () => {
      const found = messages(work, 'looked-into');
      return found.length > 0 ? found : null;
    });
    // 30: daemon.info; the version, a time, our address, app, source, structured data, text.
    assert.match(
      first!,
      /^30 1 20\d\d-\S+ 10\.97\.3\.2 looked-into \S+ \[meta sequenceId="\d+" sysUpTime="\d+"\] /,
    );
    assert.match(first!, /(management|listening) on port \d+$/);
  });

  test('what it is not › sentences', async () => {
    const none = await running.inspect('nobody', '--once').ended;
    assert.equal(none.code, 2);
    assert.match(none.stderr, /^error: no unikernel 'nobody' runs here, these do: app$/m);
    const pcap = await running.inspect('app', '--pcap=-', '--interface=3').ended;
    assert.match(pcap.stderr, /there is no interface 3: the machine has 1/);
    const both = await running.inspect('app', '--json', '--once').ended;
    assert.equal(both.code, 1);
  });
});
