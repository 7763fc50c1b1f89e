/**
 * Times of certificates, RFC 5280 §4.1.2.5: seconds in Greenwich time, no fractions, no zones.
 * Read in either form for any year (§4.1.2.5: "applications MUST be able to process" both).
 */

import { assert, type WallTime, wallTimeOfMillis } from '#core';

const ZERO = 0x30;
const NINE = 0x39;
const Z = 0x5a;
/** The calendar repeats after 400 years; Date.UTC takes years below 100 for others. */
const CYCLE_YEARS = 400;
const CYCLE_MS = 146_097 * 86_400_000;
const YEAR_MS_MIN = Date.UTC(1950, 0, 1);
const UTC_TIME_END_MS = Date.UTC(2050, 0, 1);
/** RFC 5280 §4.1.2.5: a certificate that never ends. */
export const TIME_MAX = wallTimeOfMillis(Date.UTC(9999, 11, 31, 23, 59, 59));

/** The contents of a GeneralizedTime (`isLong`) or UTCTime; null when they are no such time. */
export function parseTime(contents: Uint8Array, isLong: boolean): WallTime | null {
  const digits = isLong ? 14 : 12;
  if (contents.length !== digits + 1 || contents[digits] !== Z) return null;
  for (let i = 0; i < digits; i++) {
    if (contents[i]! < ZERO || contents[i]! > NINE) return null;
  }
  const pair = (at: number): number => (contents[at]! - ZERO) * 10 + contents[at + 1]! - ZERO;
  const monthAt = digits - 10;
  const low = pair(monthAt - 2);
  const century = isLong ? pair(0) : low >= 50 ? 19 : 20;
  const year = century * 100 + low;
  const [month, day, hour] = [pair(monthAt), pair(monthAt + 2), pair(monthAt + 4)];
  const [minute, second] = [pair(monthAt + 6), pair(monthAt + 8)];
  if (second > 59 || minute > 59 || hour > 23 || month < 1 || month > 12) return null;
  const dayMs = Date.UTC(year + CYCLE_YEARS, month - 1, day);
  // Day 0, or one that the month hasn't, is a day of another month.
  if (new Date(dayMs).getUTCMonth() !== month - 1 || day === 0) return null;
  return wallTimeOfMillis(dayMs - CYCLE_MS + ((hour * 60 + minute) * 60 + second) * 1_000);
}

/** Whether `formatTime` gives a GeneralizedTime. */
export const isLongTime = (time: WallTime): boolean => time >= UTC_TIME_END_MS;

/** The digits and 'Z' of a time from 1950 to 9999; its milliseconds are dropped. */
export function formatTime(time: WallTime): string {
  assert(time >= YEAR_MS_MIN && time <= TIME_MAX + 999);
  const digits = new Date(time).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');
  return `${isLongTime(time) ? digits : digits.slice(2)}Z`;
}
