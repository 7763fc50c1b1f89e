/**
 * `morgana compose` on networks: the example, a process and a Node process that find each other by
 * name; and a virtual machine at a fixed address. Without networks: tests/cli/compose.test.ts.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { askProject } from '../../tools/cli/compose/ask.ts';
import type { ProjectStatus } from '../../tools/cli/compose/messages.ts';
import { findProject } from '../../tools/cli/compose/project-directory.ts';
import { NetworkClient } from '../../tools/cli/network/control-client.ts';
import type { NetworkStatus } from '../../tools/cli/network/messages.ts';
import { networkPlaces } from '../../tools/cli/runtime-directory.ts';
import { freePort, root, type Tool, Workspace } from '../cli/cli.ts';
import { cannotBoot, output } from '../helpers/machine.ts';
import { without } from '../helpers/namespace.ts';

const work = new Workspace({ 'site/index.html': 'a site on a machine\n' });
process.env.MORGANA_RUNTIME_DIR = work.path('.run');
after(() => work.remove());

async function projectStatus(name: string): Promise<ProjectStatus> {
  const places = findProject(name);
  assert.ok(places, `${name} is not up`);
  return (await askProject(places, { ask: 'ps' }, 10_000)) as ProjectStatus;
}

async function networkStatus(name: string): Promise<NetworkStatus> {
  const client = await NetworkClient.connect(networkPlaces(name).controlSocket);
  assert.ok(client);
  const status = (await client.ask({ ask: 'status' })) as NetworkStatus;
  client.close();
  return status;
}

const curl = (port: number): Promise<string> =>
  output('curl', ['-sS', '-m', '20', `http://127.0.0.1:${port}/`]);

/** Not one that has ended and waits for its parent to notice. */
function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !readFileSync(stat, 'utf8').includes(') Z ');
}

describe('the example', { skip: without('curl'), timeout: 180_000 }, () => {
  let tool: Tool | null = null;
  after(async () => {
    tool?.child.kill('SIGTERM');
    await tool?.ended;
  });

  test('up › the front answers what it asked the back; Ctrl-C › nothing is left', async () => {
    const port = await freePort();
    const file = path.join(root, 'examples/compose/morgana.compose.ts');
    tool = work.start(['compose', 'up', `--file=${file}`], { PORT: String(port) });
    await tool.wrote(/morgana: shop is up/);
    assert.equal(await curl(port), '99 x unikernel left\n');
    const { unikernels, networks } = await projectStatus('shop');
    assert.deepEqual(networks, [{ name: 'lab', gateway: '10.88.0.0/24' }]);
    assert.deepEqual(
      unikernels.map(({ name, target, health, published }) => ({
        name,
        target,
        health,
        published,
      })),
      [
        { name: 'back', target: 'node', health: 'healthy', published: [] },
        {
          name: 'front',
          target: 'process',
          health: 'healthy',
          published: [`127.0.0.1:${port}->80/tcp`],
        },
      ],
    );
    const [back, front] = unikernels.map(({ addresses }) => addresses[0]);
    assert.deepEqual(back, { network: 'lab', address: '10.88.0.10' });
    assert.match(front!.address ?? '', /^10\.88\.0\.\d+$/);
    const network = await networkStatus('shop-lab');
    const pids = [network.pid, ...unikernels.map(({ pid }) => pid!)];
    assert.ok(pids.every(isAlive));
    tool.child.kill('SIGINT');
    const { code, stdout } = await tool.ended;
    assert.equal(code, 130);
    assert.match(stdout, /^back {2}\| .*10\.88\.0\.10\/24 from 10\.88\.0\.1/m);
    assert.match(stdout, /^front \| .*listening on port 80$/m);
    assert.deepEqual(pids.filter(isAlive), []);
  });
});

describe('a virtual machine', { skip: cannotBoot || without('curl'), timeout: 180_000 }, () => {
  test('up › at its address, healthy when it takes connections; its network dies › so do all', async () => {
    const port = await freePort();
    work.write(
      'morgana.compose.ts',
      `import { defineCompose } from 'morgana/compose';
export default defineCompose({
  name: 'lan',
  networks: { wire: { subnet: '10.89.0.0/24', delayMs: 1 } },
  unikernels: {
    site: {
      app: './site',
      address: '10.89.0.9',
      mac: '02:00:00:00:00:09',
      args: { port: 81 },
      publish: ['${port}:81'],
      health: { tcp: 81 },
    },
  },
});
`,
    );
    const wire = work.start(['switch', '--network=lan-wire', '--gateway=10.9.9.0/24']);
    await wire.wrote(/gateway 10\.9\.9\.1/);
    const refused = await work.run(['compose', 'up']);
    const what = `a network 'lan-wire' runs already (process ${wire.child.pid})`;
    assert.equal(refused.stderr, `error: ${what}, stop it, or take another name\n`);
    assert.equal(refused.code, 2);
    wire.child.kill('SIGINT');
    await wire.ended;

    const tool = work.start(['compose', 'up']);
    await tool.wrote(/morgana: lan is up/);
    assert.equal(await curl(port), 'a site on a machine\n');
    const [site] = (await projectStatus('lan')).unikernels;
    assert.deepEqual(site!.addresses, [{ network: 'wire', address: '10.89.0.9' }]);
    const { pid, names } = await networkStatus('lan-wire');
    assert.deepEqual(names, [{ name: 'site', mac: '02:00:00:00:00:09', address: '10.89.0.9' }]);
    process.kill(pid, 'SIGKILL');
    const { code, stderr } = await tool.ended;
    assert.equal(code, 2);
    assert.match(stderr, /^error: the network 'wire' has ended, start all again$/m);
    assert.deepEqual([pid, site!.pid!].filter(isAlive), []);
  });
});
