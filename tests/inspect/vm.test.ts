/** `morgana inspect` on a booted virtual machine: its control channel is a virtio console. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { UnikernelSnapshot } from '#inspect';
import { freePort, type Tool, Workspace } from '../cli/cli.ts';
import { buildImage, cannotBoot, output } from '../helpers/machine.ts';
import { without } from '../helpers/namespace.ts';
import { eventually } from '../interop/linux/network.ts';

const skip = cannotBoot || without('tcpdump');

describe('a virtual machine', { skip, timeout: 180_000 }, () => {
  const work = new Workspace();
  let tool: Tool;
  let url = '';

  before(async () => {
    const image = await buildImage('tests/inspect/app', '--target=pvh');
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    tool = work.start(['run', image, '--name=vm', `--publish=${port}:80`]);
    await tool.wrote(/info \S+: listening on/);
    assert.equal(await (await fetch(url)).text(), 'small\n');
  });
  after(async () => {
    tool?.child.kill('SIGTERM');
    await tool?.ended;
    work.remove();
  });

  test('a profile while it works, a capture, a snapshot', async () => {
    const [profileFile, frames] = [work.path('vm.cpuprofile'), work.path('vm.pcap')];
    const capture = work.start(['inspect', 'vm', `--pcap=${frames}`, '--port=80']);
    const profile = work.start(['inspect', 'vm', '--profile=2', `--output=${profileFile}`]);
    let isOver = false;
    const ended = profile.ended.finally(() => {
      isOver = true;
    });
    for (let i = 0; i < 2_000 && !isOver; i++) await (await fetch(`${url}/burn`)).text();
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout.split('\n')[0]!, /^ *\d+\.\d % {2}burnCycles /);
    const { nodes, samples } = JSON.parse(readFileSync(profileFile, 'utf8'));
    assert.ok(samples.length > 20);
    assert.ok(
      nodes.some(({ callFrame }: { callFrame: { functionName: string } }) => {
        return callFrame.functionName === 'burnCycles';
      }),
    );
    capture.child.kill('SIGINT');
    const captured = await capture.ended;
    assert.equal(captured.code, 0, captured.stderr);
    const text = await output('tcpdump', ['-n', '-r', frames, '-c', '5']);
    assert.match(text, /IP 10\.0\.2\.\d+\.\d+ > 10\.0\.2\.\d+\.\d+: Flags/);
  });

  test('--json › the machine, its lease, its heap', async () => {
    const found = await eventually('a snapshot', async () => {
      const { code, stdout } = await work.run(['inspect', '--json']);
      return code === 0 ? (JSON.parse(stdout) as UnikernelSnapshot) : null;
    });
    const { stack } = found.stacks;
    assert.deepEqual([found.name, found.target], ['looked-into', 'pvh']);
    assert.equal(stack!.lease!.state, 'bound');
    assert.equal(stack!.lease!.server, '10.0.2.2');
    assert.ok(stack!.lease!.expireSeconds! > 60);
    assert.ok(stack!.routes!.some(({ gateway }) => gateway === '10.0.2.2'));
    assert.ok(found.heap!.kinds.objects!.count > 1_000);
    assert.ok(found.loop!.turns > 0);
    assert.ok(stack!.deviceCounters!.received! > 0);
  });
});
