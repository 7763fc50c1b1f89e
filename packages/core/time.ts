/**
 * Time as integers in a number. An Instant is microseconds of a monotonic clock whose zero means
 * nothing (boot, as a rule); a Duration is microseconds; a WallTime is milliseconds since
 * 1970-01-01T00:00:00Z.
 */

declare const instant: unique symbol;
declare const duration: unique symbol;
declare const wall: unique symbol;
export type Instant = number & { readonly [instant]: true };
export type Duration = number & { readonly [duration]: true };
export type WallTime = number & { readonly [wall]: true };

export const FOREVER = Number.POSITIVE_INFINITY as Instant;

export const instantOfMicros = (micros: number): Instant => micros as Instant;
export const wallTimeOfMillis = (millis: number): WallTime => millis as WallTime;
export const micros = (count: number): Duration => count as Duration;
export const millis = (count: number): Duration => Math.round(count * 1_000) as Duration;
export const seconds = (count: number): Duration => Math.round(count * 1_000_000) as Duration;
export const after = (start: Instant, wait: Duration): Instant => (start + wait) as Instant;
export const since = (start: Instant, end: Instant): Duration => (end - start) as Duration;
