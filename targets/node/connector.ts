/** The device 'net.stack' on this target (packages/morgana/run.ts, Connector): the host's own network. */

import type { Machine, Stack } from '#device';

export const hostStackConnector = {
  args: {},
  async connect({ machine }: { readonly machine: Machine }): Promise<Stack | { lacks: string }> {
    return 'stack' in machine
      ? (machine.stack as Stack)
      : { lacks: "the machine isn't a Node process" };
  },
};
