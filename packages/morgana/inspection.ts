/**
 * Makes a unikernel one that can be looked into: over the control channel, where the machine has
 * one. Linked unless the build leaves it out (tools/cli/entry.ts).
 */

import type { Stack } from '#device';
import { type Command, Commands, ControlServer } from '#inspect';
import type { StartInspection } from './run.ts';

/** With `more` commands, by name, on the control channel. */
export const inspectionWith =
  (more: Readonly<Record<string, Command>>): StartInspection =>
  (machine, name, log) => {
    const commands = new Commands(machine, name, log);
    if (machine.control !== null) {
      const server = new ControlServer(machine.control, log.source('control'));
      commands.register(server);
      for (const [ask, run] of Object.entries(more)) server.command(ask, run);
    }
    return {
      commands,
      connected({ name: device, kind }, value) {
        if (kind === 'net.stack') commands.addStack(device, value as Stack);
      },
    };
  };

export const startInspection = inspectionWith({});
