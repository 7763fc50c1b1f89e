/** What syncing over a channel may cost, and what happens past each bound. */

import { assert, seconds } from '#core';

/** Letters of one text message; a longer one breaks the protocol. */
export const TEXT_LETTERS_MAX = 4_096;
/** Letters of the name of a schema, and of why something failed; longer ones are cut. */
export const NAME_LETTERS_MAX = 200;
export const WHY_LETTERS_MAX = 1_000;
/** Of one binary message that we send; a channel may bound messages by no less. */
export const PIECE_BYTES_MAX = 262_144;
/** What a piece that waits costs beside its bytes: a peer may send a byte at a time. */
export const PIECE_COST_BYTES = 128;
/** Bytes of a body that came and aren't read yet; above it the peer is held back. */
export const BODY_QUEUE_BYTES_MAX = 1_048_576;
/** Where a channel can't be held back: more than this breaks it. */
export const BODY_QUEUE_BYTES_BROKEN = 67_108_864;
/** Queued bytes of a channel above which a body waits. */
export const CHANNEL_QUEUE_BYTES_MAX = 262_144;
/** Open at a server at once; one more is closed: CLOSE_TRY_LATER. */
export const CHANNELS_MAX = 256;
/** How long a body may wait for a peer that doesn't read; longer: closed, CLOSE_TRY_LATER. */
export const STALL_WAIT = seconds(30);
/** How long the other side may take to say what it is; longer: closed. */
export const HELLO_WAIT = seconds(3);
/** How long the other side may say nothing while it owes an answer; longer: connected anew. */
export const ANSWER_WAIT_MS = 30_000;
/** So often a client asks though nobody said that anything moved: dead connections say nothing. */
export const LOOK_EVERY_MS = 60_000;
/** Between tries to connect: doubled each time up to the last, each shortened by up to half. */
export const RECONNECT_FIRST_MS = 500;
export const RECONNECT_MAX_MS = 30_000;
/** Rounds of fetch, merge and push that lose to another before one waits as after a failure. */
export const ROUNDS_MAX = 8;

assert(NAME_LETTERS_MAX + WHY_LETTERS_MAX < TEXT_LETTERS_MAX);
assert(PIECE_BYTES_MAX <= BODY_QUEUE_BYTES_MAX && BODY_QUEUE_BYTES_MAX < BODY_QUEUE_BYTES_BROKEN);
