/**
 * Runs a program as a Node process on the host's sockets, for development. The CLI tells it about
 * content and disks (machine.ts) and ports through environment variables:
 *
 *     MORGANA_PUBLISH   [{"hostAddress": "127.0.0.1", "hostPort": 8080, "guestPort": 80,
 * "protocol": "tcp"}]
 */

import type { Machine, Program } from '#device';
import { HostStack, type Publish } from './host-stack.ts';
import { NodeLoop } from './loop.ts';
import {
  bareMachine,
  contentOfProcess,
  controlOfProcess,
  disksOfProcess,
  type MachineOptions,
  start,
} from './machine.ts';

export interface LaunchOptions extends MachineOptions {
  readonly publish: readonly Publish[];
}

/** A Node process as a machine, with the host's network. */
export interface NodeMachine extends Machine {
  readonly stack: HostStack;
}

export function optionsOfProcess(): LaunchOptions {
  const { MORGANA_PUBLISH: publish } = process.env;
  return {
    bootArguments: process.argv.slice(2),
    content: contentOfProcess(),
    disks: disksOfProcess(),
    control: controlOfProcess(),
    publish: publish === undefined ? [] : JSON.parse(publish),
  };
}

export function createMachine(loop: NodeLoop, options: LaunchOptions): NodeMachine {
  return { ...bareMachine(loop, options, []), stack: new HostStack(loop, options.publish) };
}

/** As `start` of machine.ts says. */
export function launch(program: Program, options: LaunchOptions = optionsOfProcess()): void {
  const loop = new NodeLoop();
  start(loop, createMachine(loop, options), program);
}
