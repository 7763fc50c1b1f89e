/**
 * When a certificate is to be renewed: in the window that its authority suggests (RFC 9773), or
 * else when two thirds of its life are over, and a little earlier by chance. Pure, but for the
 * chance that is passed in.
 */

import { type Duration, type Instant, seconds, type WallTime, wallTimeOfMillis } from '#core';
import type { Clock } from '#device';
import { documentOf, retryAfterOf } from './answer.ts';
import type { AcmeError } from './error.ts';
import type { Known, Procedure, Step } from './session.ts';
import type { AcmeAnswer } from './transport.ts';
import { parseRenewalInfo, type RenewalInfo } from './wire/resources.ts';
import { type AcmeUrl, parseUrl } from './wire/url.ts';

export interface Lifetime {
  readonly notBefore: WallTime;
  readonly notAfter: WallTime;
}

/** The part of a life after which it is renewed, and the part that chance may take off that. */
const RENEW_AT = 2 / 3;
const RENEW_SPREAD = 1 / 24;

/** `chance`: 0 <= chance < 1. */
export function ownRenewalTime({ notBefore, notAfter }: Lifetime, chance: number): WallTime {
  const life = notAfter - notBefore;
  return wallTimeOfMillis(notBefore + life * (RENEW_AT - RENEW_SPREAD * chance));
}

/**
 * RFC 9773 §4.2: any time in the window; but while the certificate is good, since a window that is
 * far away may be the authority's mistake.
 */
export function suggestedRenewalTime(
  { start, end }: RenewalInfo,
  { notAfter, notBefore }: Lifetime,
  chance: number,
): WallTime {
  const latest = notBefore + (notAfter - notBefore) * RENEW_LATEST;
  return wallTimeOfMillis(Math.min(start + (end - start) * chance, latest));
}

const RENEW_LATEST = 0.95;

/** RFC 9773 §4.3.2: at least a minute and at most a day; six hours when it isn't said. */
const CHECK_SECONDS_MIN = 60;
const CHECK_SECONDS_MAX = 86_400;
const CHECK_SECONDS = 21_600;

/** Asks the authority when a certificate should be renewed (RFC 9773 §4). */
export class RenewalInfoProcedure implements Procedure {
  info: RenewalInfo | null = null;
  /** When to ask again. */
  checkAfter: Duration = seconds(CHECK_SECONDS);
  private readonly id: string;
  private readonly clock: Clock;

  /** `id`: renewalIdOf(certificate). */
  constructor(id: string, clock: Clock) {
    this.id = id;
    this.clock = clock;
  }

  next({ directory }: Known): Step {
    if (this.info !== null) return { kind: 'over', error: null };
    const base = directory.renewalInfo;
    const notOffered: AcmeError = { kind: 'not offered', what: 'renewal info' };
    if (base === null) return { kind: 'over', error: notOffered };
    const url = parseUrl(`${base.text.replace(/\/$/, '')}/${this.id}`);
    return url.ok ? { kind: 'get', url: url.value } : { kind: 'over', error: notOffered };
  }

  answered(answer: AcmeAnswer, url: AcmeUrl, _now: Instant): AcmeError | null {
    const info = documentOf(answer, url, parseRenewalInfo);
    if (!info.ok) return info.error;
    this.info = info.value;
    const told = retryAfterOf(answer, this.clock);
    if (told !== null) {
      const bounded = Math.min(
        Math.max(told, seconds(CHECK_SECONDS_MIN)),
        seconds(CHECK_SECONDS_MAX),
      );
      this.checkAfter = bounded as Duration;
    }
    return null;
  }

  refused(): boolean {
    return false;
  }

  ended(): void {}
}
