/** `morgana/linked`: what the running program was linked from, for programs that tell. */

export interface LinkedPart {
  /** As in `morgana build`: "engine", "Mbed TLS 3.6.x", "morgana/net", "npm:hono", "app". */
  readonly name: string;
  /** Of machine code for what is C, of JavaScript text for the rest. */
  readonly bytes: number;
}

/** The build writes the parts in this one's place (tools/cli/linked.ts). */
const written: readonly unknown[] = ['@morgana/linked@'];

/** Largest first; empty in a program that no build made, and in development. */
export const linked: readonly LinkedPart[] =
  typeof written[0] === 'object' ? (written as readonly LinkedPart[]) : [];
