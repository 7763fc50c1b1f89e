/**
 * Makes a unikernel one that can be looked into: over the control channel, where the machine has
 * one. Linked unless the build leaves it out (tools/cli/entry.ts).
 */

import type { Stack } from '#device';
import { Commands, ControlServer } from '#inspect';
import type { StartInspection } from './run.ts';

export const startInspection: StartInspection = (machine, name, log) => {
  const commands = new Commands(machine, name, log);
  if (machine.control !== null) {
    commands.register(new ControlServer(machine.control, log.source('control')));
  }
  return {
    connected({ name: device, kind }, value) {
      if (kind === 'net.stack') commands.addStack(device, value as Stack);
    },
  };
};
