/** Every bound of the control protocol and of inspection, and what happens at it. */

import { assert, millis, seconds } from '#core';
import { CONTROL_QUEUE_BYTES_MAX, PCAP_HEAD_BYTES, PCAP_RECORD_BYTES } from '#device';

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
/** One piece of a stream: a batch of a capture, at most. */
export const pieceBytesMax = 66_560;
/** Bytes of a frame that a capture keeps: all of what a device cuts into segments. */
export const snapBytesMax = 65_550;
/** Records of a capture that wait to be sent together, and for how long. */
export const captureBatchBytes = 66_560;
export const captureFlushInterval = millis(50);
/** Captures at once, each with a batch of its own; the next one is refused. */
export const capturesMax = 4;
/** How long a CPU profile may take. */
export const profileSecondsMax = 600;
/** One section of the program's own as JSON; a longer one is an error in its place. */
export const sectionCharactersMax = 131_072;
/** Syslog messages that wait for the server, and their bytes; more are dropped and counted. */
export const syslogMessagesMax = 256;
export const syslogBytesMax = 65_536;
/** What a connection to the server may have queued before messages wait themselves. */
export const syslogFlowBytesMax = 16_384;
export const syslogFlushInterval = millis(10);
/** Between attempts to connect: doubled each time. */
export const syslogRetryFirst = millis(500);
export const syslogRetryMax = seconds(60);
/** Connections listed by one snapshot unless it asks for fewer; the rest are a number. */
export const connectionsListedMax = 200;

assert(PCAP_HEAD_BYTES + PCAP_RECORD_BYTES + snapBytesMax <= captureBatchBytes);
assert(captureBatchBytes <= pieceBytesMax);
assert(requestBytesMax <= answerBytesMax && answerBytesMax < outboxBytesMax);
assert(streamQueuedBytesMax + pieceBytesMax < CONTROL_QUEUE_BYTES_MAX);
