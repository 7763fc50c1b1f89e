/** performance and navigator: what an app may ask of where it runs. */

import { platform, timeOriginMillis } from './platform.ts';

export const performance = {
  /**
   * Milliseconds since timeOrigin. Deviates: the time of the event loop's turn, so it stands still
   * while a program computes, as all that happens in one turn has one time.
   */
  now: (): number => platform().timers.now / 1_000,
  get timeOrigin(): number {
    return timeOriginMillis();
  },
  toJSON(): { timeOrigin: number } {
    return { timeOrigin: timeOriginMillis() };
  },
};

export const navigator = { userAgent: 'Morgana' };

/** The global object, under its other name. */
export const self: typeof globalThis = globalThis;
