/** A unikernel of target process on a tap device of its own namespace, under `morgana run`. */

import { spawn } from 'node:child_process';
import path from 'node:path';
import { root, Tool, type Workspace } from '../cli/cli.ts';
import { leashed } from '../helpers/machine.ts';
import { Namespace } from '../helpers/namespace.ts';

export const MAIN = path.join(root, 'tools/cli/main.ts');
export const LINUX = '10.97.3.1';
export const UNIKERNEL = '10.97.3.2';

export class RunningUnikernel {
  readonly work: Workspace;
  readonly net: Namespace;
  readonly tool: Tool;

  private constructor(work: Workspace, net: Namespace, tool: Tool) {
    this.work = work;
    this.net = net;
    this.tool = tool;
  }

  /** Runs `image` (of target process) with boot-time arguments beside its address. */
  static async open(
    work: Workspace,
    image: string,
    name: string,
    bootArguments: readonly string[] = [],
    /** Runs in the namespace before the unikernel starts. */
    prepare: (net: Namespace) => Promise<void> = async () => {},
  ): Promise<RunningUnikernel> {
    const net = await Namespace.open();
    await net.run('ip', 'link', 'set', 'lo', 'up');
    await net.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap', 'vnet_hdr');
    await net.run('ip', 'address', 'add', `${LINUX}/24`, 'dev', 'tap0');
    await net.run('ip', 'link', 'set', 'tap0', 'up');
    await prepare(net);
    const words = [MAIN, 'run', image, `--name=${name}`, '--link=tap:tap0', '--memory=32', '--'];
    const given = [`--ipv4=${UNIKERNEL}/24`, '--ipv6=off', ...bootArguments];
    const all = [...net.enter, process.execPath, ...words, ...given];
    const [command = '', ...rest] = all;
    const env = { ...process.env, MORGANA_RUNTIME_DIR: work.path('.run') };
    const child = spawn(...leashed(command, rest), {
      cwd: work.directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const tool = new Tool(child);
    await tool.wrote(/info \S+: listening on/);
    return new RunningUnikernel(work, net, tool);
  }

  inspect(...words: string[]): Tool {
    return this.work.start(['inspect', ...words]);
  }

  async close(): Promise<void> {
    this.tool.child.kill('SIGTERM');
    await this.tool.ended;
    await this.net.close();
  }
}
