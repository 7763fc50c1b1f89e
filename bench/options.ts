/** The command line of the bench. */
import type { NetKind } from './network.ts';
import { UsageError } from './process.ts';

export const MEASURES = [
  ...['image', 'boot', 'memory', 'resident', 'rps', 'throughput', 'connections', 'bulk', 'idle'],
];

export const HELP = `npm run bench -- [OPTIONS]

Measures examples/static-site as a Morgana image against a small Linux VM with nginx and the same
VM with Node, in QEMU on this machine, and prints a table.

  --only=NAME,...             of ${MEASURES.join(', ')}
  --rival=nginx|node|both|none   (default both)
  --net=user|tap|both|native  QEMU's user networking, tap with offloads (default both); or target
                              process on a tap beside node:http on loopback, without QEMU
  --image=FILE                measure this image of ours; without it, it is built
  --no-morgana                measure the rivals alone
  --quick                     fewer and shorter rounds
  --json                      the results as JSON on standard output, the table on standard error
  --help

A profile of where a request's time goes is not part of this: see bench/README.md.
`;

export interface Options {
  only: ReadonlySet<string>;
  rivals: readonly ('nginx' | 'node')[];
  nets: readonly NetKind[];
  image: string | null;
  morgana: boolean;
  quick: boolean;
  json: boolean;
  help: boolean;
  /** Set by the bench for its own second process, inside the namespace with the taps. */
  inside: boolean;
}

const CHOICES = {
  rival: { nginx: ['nginx'], node: ['node'], both: ['nginx', 'node'], none: [] },
  net: { user: ['user'], tap: ['tap'], both: ['user', 'tap'], native: ['native'] },
} as const;

/** Parses the arguments; an unknown, repeated or malformed one is a UsageError. */
export function parseOptions(args: readonly string[]): Options {
  const given = new Map<string, string>();
  for (const argument of args) {
    const match = /^--([a-z-]+)(?:=(.+))?$/.exec(argument);
    const name = match?.[1];
    if (name === undefined) throw new UsageError(`unknown argument ${argument}; see --help`);
    if (given.has(name)) throw new UsageError(`--${name} is given twice`);
    given.set(name, match?.[2] ?? '');
  }
  const take = (name: string): string | undefined => {
    const value = given.get(name);
    given.delete(name);
    return value;
  };
  const flag = (name: string): boolean => {
    const value = take(name);
    if (value !== undefined && value !== '') throw new UsageError(`--${name} takes no value`);
    return value !== undefined;
  };
  const only = take('only')?.split(',') ?? MEASURES;
  for (const name of only) {
    if (!MEASURES.includes(name)) throw new UsageError(`--only: no measure is called '${name}'`);
  }
  const options: Options = {
    only: new Set(only),
    rivals: choice('rival', take('rival') ?? 'both', CHOICES.rival),
    nets: choice('net', take('net') ?? 'both', CHOICES.net),
    image: take('image') ?? null,
    morgana: !flag('no-morgana'),
    quick: flag('quick'),
    json: flag('json'),
    help: flag('help'),
    inside: flag('inside-namespace'),
  };
  for (const name of given.keys()) throw new UsageError(`unknown option --${name}; see --help`);
  return options;
}

function choice<T>(name: string, value: string, choices: Readonly<Record<string, T>>): T {
  const chosen = Object.hasOwn(choices, value) ? choices[value] : undefined;
  if (chosen !== undefined) return chosen;
  throw new UsageError(`--${name} must be one of ${Object.keys(choices).join(', ')}`);
}
