/** bench/constant-time.ts in an image: one line for each finding. */
import { findings } from './constant-time-work.ts';

declare const __base: import('#targets/base/base').Base;

for (const { what, t, micros } of findings(() => __base.clockMonotonic(), 50)) {
  __base.consoleWrite(`${what}|${t}|${micros.join('|')}\n`);
}
