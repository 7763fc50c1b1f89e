/** Dates, RFC 9110 §5.6.7: IMF-fixdate is written, the two obsolete forms are read as well. */

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const LONG_DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const SECONDS_A_DAY = 86_400;
/** 9999-12-31T23:59:59Z: four digits of year. */
export const DATE_SECONDS_MAX = 253_402_300_799;

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : `${value}`);

/** Year, month (0..11) and day (1..31) of a day number since 1970; proleptic Gregorian. */
function civilOf(days: number): { year: number; month: number; day: number } {
  // Howard Hinnant's days-to-civil: eras of 400 years that begin on 1 March.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 2 : monthFromMarch - 10;
  return {
    year: yearOfEra + era * 400 + (month <= 1 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  };
}

/** Day number since 1970 of a date; the inverse of `civilOf`. */
function daysOf(year: number, month: number, day: number): number {
  const marchYear = month <= 1 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const monthFromMarch = month > 1 ? month - 2 : month + 10;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/**
 * IMF-fixdate of whole seconds since 1970, 0..DATE_SECONDS_MAX; others are moved to the nearer
 * bound.
 */
export function formatHttpDate(seconds: number): string {
  const moment = Math.min(Math.max(Math.floor(seconds), 0), DATE_SECONDS_MAX);
  const days = Math.floor(moment / SECONDS_A_DAY);
  const inDay = moment - days * SECONDS_A_DAY;
  const { year, month, day } = civilOf(days);
  const hour = twoDigits(Math.floor(inDay / 3_600));
  const minute = twoDigits(Math.floor(inDay / 60) % 60);
  const monthName = MONTHS.slice(month * 3, month * 3 + 3);
  const yearText = `${year}`.padStart(4, '0');
  const time = `${hour}:${minute}:${twoDigits(inDay % 60)}`;
  return `${DAYS[(days + 4) % 7]}, ${twoDigits(day)} ${monthName} ${yearText} ${time} GMT`;
}

/** The number made by `count` digits at `at`, or -1. */
function digits(text: string, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Month 0..11 named at `at`, or -1. */
function monthAt(text: string, at: number): number {
  const place = MONTHS.indexOf(text.slice(at, at + 3));
  return place % 3 === 0 && text.length >= at + 3 ? place / 3 : -1;
}

/**
 * Seconds since 1970 of a date and the "HH:MM:SS" at `timeAt`, or null. A leap second counts as the
 * one before.
 */
function moment(
  year: number,
  month: number,
  day: number,
  text: string,
  timeAt: number,
): number | null {
  const hour = digits(text, timeAt, 2);
  const minute = digits(text, timeAt + 3, 2);
  const second = digits(text, timeAt + 6, 2);
  if (text[timeAt + 2] !== ':' || text[timeAt + 5] !== ':') return null;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return null;
  if (year < 1970 || month < 0 || day < 1 || day > 31) return null;
  const days = daysOf(year, month, day);
  if (civilOf(days).day !== day) return null;
  return days * SECONDS_A_DAY + hour * 3_600 + minute * 60 + Math.min(second, 59);
}

/**
 * Whole seconds since 1970, or null when `text` is no date from 1970 on. `nowSeconds` settles the
 * century of a two-digit year (RFC 9110 §5.6.7): more than 50 years ahead is taken as past. The
 * day's name must be one, but isn't checked.
 */
export function parseHttpDate(text: string, nowSeconds: number): number | null {
  const comma = text.indexOf(',');
  if (comma === 3 && text.length === 29 && DAYS.includes(text.slice(0, 3))) {
    const marks = text[4] === ' ' && text[7] === ' ' && text[11] === ' ' && text[16] === ' ';
    if (!marks || text.slice(25) !== ' GMT') return null;
    return moment(digits(text, 12, 4), monthAt(text, 8), digits(text, 5, 2), text, 17);
  }
  if (comma > 3 && text.length === comma + 24 && LONG_DAYS.includes(text.slice(0, comma))) {
    return rfc850(text, comma, nowSeconds);
  }
  if (comma === -1 && text.length === 24 && DAYS.includes(text.slice(0, 3))) {
    if (text[3] !== ' ' || text[7] !== ' ' || text[10] !== ' ' || text[19] !== ' ') return null;
    const day = text[8] === ' ' ? digits(text, 9, 1) : digits(text, 8, 2);
    return moment(digits(text, 20, 4), monthAt(text, 4), day, text, 11);
  }
  return null;
}

/** "Sunday, 06-Nov-94 08:49:37 GMT", its comma at `comma`. */
function rfc850(text: string, comma: number, nowSeconds: number): number | null {
  const at = comma + 2;
  const marks =
    text[at - 1] === ' ' && text[at + 2] === '-' && text[at + 6] === '-' && text[at + 9] === ' ';
  const short = digits(text, at + 7, 2);
  if (!marks || short < 0 || text.slice(at + 18) !== ' GMT') return null;
  const thisYear = civilOf(Math.floor(Math.max(0, nowSeconds) / SECONDS_A_DAY)).year;
  let year = Math.floor(thisYear / 100) * 100 + short;
  if (year > thisYear + 50) year -= 100;
  return moment(year, monthAt(text, at + 3), digits(text, at, 2), text, at + 10);
}
