/** Every bound of the control protocol and of inspection, and what happens at it. */

import { assert } from '#core';
import { CONTROL_PAYLOAD_BYTES_MAX, CONTROL_QUEUE_BYTES_MAX } from '#device';

/** One message of a client; a longer one closes it. Answers may be longer than requests. */
export const requestBytesMax = 65_536;
export const answerBytesMax = 1_048_576;
/** Clients at once; the next one is closed. */
export const clientsMax = 16;
/**
 * Closed ones that the supervisor may not know of yet; when there are more, what the others still
 * send opens them anew, and closes them again.
 */
export const deadClientsMax = 64;
/** Requests of one client without an answer yet; the next one closes it. */
export const requestsMax = 16;
/** Characters of a command's name. */
export const askCharactersMax = 32;
/**
 * Pieces that all clients have sent ahead of their requests: many, since new code comes that way;
 * more closes the client that sends them.
 */
export const piecesBytesMax = 4_194_304;
/** What a piece costs beside its bytes: empty ones aren't free. */
export const pieceOverheadBytes = 64;
/** What waits in the channel: above it pieces of streams are dropped and counted. */
export const streamQueuedBytesMax = 131_072;
/** Answers that wait for room in the channel; one more closes its client. */
export const outboxBytesMax = 1_572_864;
/** Connections listed by one snapshot unless it asks for fewer; the rest are a number. */
export const connectionsListedMax = 200;

assert(requestBytesMax <= answerBytesMax && answerBytesMax < outboxBytesMax);
assert(streamQueuedBytesMax + CONTROL_PAYLOAD_BYTES_MAX < CONTROL_QUEUE_BYTES_MAX);
