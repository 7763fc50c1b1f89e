/**
 * The unikernels of one file as a whole: up in the order of what they wait for, down in the reverse
 * one, in bounded time whatever they do.
 */

import type { ComposeConfig } from '../../../packages/morgana/compose.ts';
import { DOWN_MILLIS_MAX } from './limits.ts';
import type { Unikernel } from './unikernel.ts';

export class Project {
  readonly unikernels: ReadonlyMap<string, Unikernel>;
  private readonly config: ComposeConfig;
  private isStopping = false;

  /** `unikernels`: one for each of the file's. */
  constructor(config: ComposeConfig, unikernels: readonly Unikernel[]) {
    this.config = config;
    this.unikernels = new Map(unikernels.map((one) => [one.name, one]));
  }

  /**
   * Resolves when all were started and those with a health are healthy; rejects with a Failure when
   * one never will be.
   */
  async up(): Promise<void> {
    await Promise.all(this.config.order.map((name) => this.bring(name)));
  }

  /** Resolves when each has ended by itself. */
  async ended(): Promise<void> {
    await Promise.all([...this.unikernels.values()].map((one) => one.ended()));
  }

  /** Ends all, those first that others don't wait for; kills what takes too long. */
  async down(): Promise<void> {
    this.isStopping = true;
    const late = setTimeout(() => this.kill(), DOWN_MILLIS_MAX);
    const downs = new Map<string, Promise<void>>();
    for (const name of [...this.config.order].reverse()) {
      const dependents = this.config.order.filter((other) => this.waitsFor(other, name));
      const before = dependents.map((other) => downs.get(other)!);
      downs.set(name, this.takeDown(name, before));
    }
    await Promise.all(downs.values());
    clearTimeout(late);
  }

  /** Ends all at once. */
  kill(): void {
    this.isStopping = true;
    for (const one of this.unikernels.values()) one.kill();
  }

  private waitsFor(name: string, other: string): boolean {
    return this.config.unikernels[name]!.after[other] !== undefined;
  }

  private async bring(name: string): Promise<void> {
    const { after, health } = this.config.unikernels[name]!;
    for (const [other, condition] of Object.entries(after)) {
      const { started, healthy } = this.unikernels.get(other)!;
      await (condition === 'healthy' ? healthy : started).wait();
    }
    if (this.isStopping) return;
    const one = this.unikernels.get(name)!;
    one.start();
    await one.started.wait();
    if (health !== undefined) await one.healthy.wait();
  }

  private async takeDown(name: string, before: readonly Promise<void>[]): Promise<void> {
    await Promise.all(before);
    const one = this.unikernels.get(name)!;
    one.stop();
    await one.ended();
  }
}
