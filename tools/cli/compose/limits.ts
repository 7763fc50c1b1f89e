/** Every bound of `morgana compose`, and what happens at it. Those of the file: compose-check.ts. */

import { assert } from '#core';

/** A longer line of a unikernel's console is cut into several. */
export const LINE_CHARACTERS_MAX = 8_192;
/** A log file of this size becomes NAME.log.1, whose earlier lines go: twice this for each. */
export const LOG_FILE_BYTES_MAX = 1_048_576;
/** Lines of a unikernel that didn't become healthy which are shown. */
export const LAST_LINES = 20;

/** A unikernel has so long to end when asked to; then it is killed. */
export const STOP_MILLIS_MAX = 5_000;
/** How long after its end its console is read. */
export const LAST_WORDS_MILLIS_MAX = 1_000;
/** All of them together; then all are killed. */
export const DOWN_MILLIS_MAX = 20_000;

/** Between two questions for its health before it is healthy. */
export const EAGER_MILLIS = 100;
/** So many questions in a row without a good answer make it unhealthy. */
export const MISSES_MAX = 3;

/** Pauses before a unikernel is started again: the first, doubled each time up to the last. */
export const BACKOFF_MILLIS_MIN = 250;
export const BACKOFF_MILLIS_MAX = 30_000;
/** So many times in a row; then it stays down. */
export const RESTARTS_MAX = 10;
/** After so long without an end a new count begins. */
export const STEADY_MILLIS = 60_000;

/** Applications that are built side by side. */
export const BUILDS_MAX = 4;

/** Others that ask the project at once; more are refused. */
export const CLIENTS_MAX = 32;
/** What waits for one that follows the log and doesn't read; more, and it is dropped. */
export const CLIENT_QUEUE_BYTES_MAX = 4_194_304;
/** A longer question, or line of an answer, ends the connection. */
export const MESSAGE_CHARACTERS_MAX = 262_144;

assert(BACKOFF_MILLIS_MIN < BACKOFF_MILLIS_MAX && STOP_MILLIS_MAX < DOWN_MILLIS_MAX);
// A line of a log, escaped as JSON in the worst way, is one message.
assert(6 * LINE_CHARACTERS_MAX < MESSAGE_CHARACTERS_MAX);
