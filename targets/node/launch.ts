/**
 * Runs a program as a Node process on the host's sockets, for development. The CLI tells it about
 * content and ports through two environment variables, JSON both:
 *
 *     MORGANA_CONTENT   {"site": "/home/me/htdocs"}
 *     MORGANA_PUBLISH   [{"hostAddress": "127.0.0.1", "hostPort": 8080, "guestPort": 80,
 * "protocol": "tcp"}]
 */

import { randomFillSync } from 'node:crypto';
import { totalmem } from 'node:os';
import { wallTimeOfMillis } from '#core';
import type { KvReadOnly, Machine, Program } from '#device';
import { readDirectory } from './directory.ts';
import { HostStack, type Publish } from './host-stack.ts';
import { NodeLoop } from './loop.ts';

/** BASE_EXIT_UNCAUGHT of the image's base: the program's promise was rejected. */
const EXIT_UNCAUGHT = 124;

export interface LaunchOptions {
  readonly bootArguments: readonly string[];
  /** Directory by the name of its device. */
  readonly content: Readonly<Record<string, string>>;
  readonly publish: readonly Publish[];
}

/** A Node process as a machine, with the host's network. */
export interface NodeMachine extends Machine {
  readonly stack: HostStack;
}

export function optionsOfProcess(): LaunchOptions {
  const { MORGANA_CONTENT: content, MORGANA_PUBLISH: publish } = process.env;
  return {
    bootArguments: process.argv.slice(2),
    content: content === undefined ? {} : JSON.parse(content),
    publish: publish === undefined ? [] : JSON.parse(publish),
  };
}

export function createMachine(loop: NodeLoop, options: LaunchOptions): NodeMachine {
  const read = new Map<string, KvReadOnly>();
  return {
    target: 'node',
    timers: loop.timers,
    clock: { wall: () => wallTimeOfMillis(Date.now()) },
    memoryBytes: totalmem(),
    entropy: { fill: (out) => void randomFillSync(out) },
    console: { writeLine: (line) => void process.stdout.write(`${line}\n`) },
    bootArguments: options.bootArguments,
    interfaces: [],
    blocks: [],
    stack: new HostStack(loop, options.publish),
    content(name) {
      if (!Object.hasOwn(options.content, name)) return null;
      const known = read.get(name) ?? readDirectory(options.content[name]!);
      read.set(name, known);
      return known;
    },
    exit: (code) => process.exit(code),
  };
}

/**
 * Ends the process with the program's exit code; with 0 on SIGINT or SIGTERM, or when the program
 * waits for nothing that could still happen.
 */
export function launch(program: Program, options: LaunchOptions = optionsOfProcess()): void {
  const loop = new NodeLoop();
  const machine = createMachine(loop, options);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
  loop.turn(() => {
    program(machine).then(
      (code) => process.exit(code),
      (error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? String(error)) : String(error);
        process.stderr.write(`error: ${text}\n`);
        process.exit(EXIT_UNCAUGHT);
      },
    );
  });
}
