/**
 * Boot-time arguments that a website or handler over HTTPS needs because of how it is run: where
 * clients find it, and whether plain HTTP can be listened for. Not here: the arguments' own meaning
 * (packages/morgana/standard-args.ts, HTTPS_ARGS).
 */

import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import type { Publish } from './flags.ts';

export interface HttpsPlace {
  /** What the program takes. */
  readonly args: ArgSpecs;
  /** What it is given anyway. */
  readonly bootArguments: readonly string[];
  readonly publish: readonly Publish[];
  /** It listens on this machine's own ports, where they aren't published elsewhere. */
  readonly isOnHost: boolean;
}

/** Whether `args` are those of a website or handler over HTTPS. */
export const isHttps = (args: ArgSpecs): boolean => args['public-port'] !== undefined;

/** The value that argument `name` will have; null when it has none, or not a number. */
export function numberArgument(
  name: string,
  args: ArgSpecs,
  bootArguments: readonly string[],
): number | null {
  const head = `--${name}=`;
  const word = bootArguments.find((text) => text.startsWith(head));
  const value = Number(word?.slice(head.length) ?? args[name]?.default ?? Number.NaN);
  return Number.isInteger(value) && value >= 0 && value < 65_536 ? value : null;
}

/** Those that the user left to us; none for other programs. */
export function httpsArguments({ args, bootArguments, publish, isOnHost }: HttpsPlace): string[] {
  if (!isHttps(args)) return [];
  const isGiven = (name: string): boolean =>
    bootArguments.some((word) => word.startsWith(`--${name}=`));
  const hostPortOf = (guestPort: number | null): number | null =>
    publish.find((one) => one.protocol === 'tcp' && one.guestPort === guestPort)?.hostPort ?? null;
  const more: string[] = [];
  const port = numberArgument('port', args, bootArguments);
  const publicPort = hostPortOf(port);
  // Where it redirects to must be where clients come in.
  if (!isGiven('public-port') && publicPort !== null && publicPort !== port) {
    more.push(`--public-port=${publicPort}`);
  }
  const httpPort = numberArgument('http-port', args, bootArguments);
  // This machine's own port 80 is nobody's to take who wasn't told to.
  if (isOnHost && !isGiven('http-port') && hostPortOf(httpPort) === null) {
    more.push('--http-port=0');
  }
  return more;
}
