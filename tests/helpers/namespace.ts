/**
 * A network namespace of the test's own: the kernel takes it away, with all that is in it, when the
 * process that holds it dies, and that one dies with the test.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readlinkSync } from 'node:fs';
import { leashed, output } from './machine.ts';

const TOOLS = ['unshare', 'nsenter', 'ip', 'nft', 'dnsmasq', 'curl', 'ping'];
const FOLDERS = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'];
const OPEN_MILLIS_MAX = 60_000;

/** Why no tap device can be had here; false when one can: the `skip` of node:test. */
export const cannotTap: string | false = (() => {
  if (process.getuid?.() !== 0) return 'network namespaces and tap devices need root';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
  } catch {
    return 'there is no /dev/net/tun to use';
  }
  return without(...TOOLS);
})();

/** Why a test that needs these tools can't run; false when it can. */
export function without(...tools: string[]): string | false {
  const missing = tools.filter((tool) => !FOLDERS.some((at) => existsSync(`${at}/${tool}`)));
  return missing.length === 0 ? false : `not installed: ${missing.join(', ')}; npm run setup`;
}

export class Namespace {
  /** Words to put before a command, so that it runs in here. */
  readonly enter: readonly string[];
  private readonly children: ChildProcess[];

  private constructor(holder: ChildProcess) {
    this.enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
    this.children = [holder];
  }

  static async open(): Promise<Namespace> {
    const holder = spawn(...leashed('unshare', ['--net', 'sleep', 'infinity']), {
      stdio: 'ignore',
    });
    await once(holder, 'spawn');
    const outside = readlinkSync('/proc/self/ns/net');
    const deadline = performance.now() + OPEN_MILLIS_MAX;
    while (readlinkSync(`/proc/${holder.pid}/ns/net`) === outside) {
      if (performance.now() > deadline) throw new Error('unshare makes no network namespace');
      await new Promise((resolve) => setImmediate(resolve));
    }
    return new Namespace(holder);
  }

  /** The output of a command that runs in here; rejects when it fails. */
  run(...words: string[]): Promise<string> {
    const [command = '', ...rest] = [...this.enter, ...words];
    return output(command, rest);
  }

  /** A command that runs in here until the namespace is closed. */
  start(...words: string[]): ChildProcess {
    const [command = '', ...rest] = [...this.enter, ...words];
    const child = spawn(...leashed(command, rest), { stdio: 'ignore' });
    this.children.push(child);
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  }
}
