/** What TLS may cost a program, and what happens past each bound. */

import { seconds } from '#core';

/** Of a block device so much is read; PEM beyond it isn't seen. */
export const BLOCK_BYTES_MAX = 1_048_576;
/** Files of a tar on a block device; more: it can't be read. */
export const TAR_FILES_MAX = 256;
/** Certificates with their keys; more: the program doesn't start, or keeps those it had. */
export const CREDENTIALS_MAX = 64;
/** Handshakes in progress on a port; one more: the oldest is broken off. */
export const HANDSHAKES_MAX = 256;
/** Sessions that `inspect` lists; the rest are a number. */
export const SESSIONS_LISTED_MAX = 200;
/** Between two looks whether files have changed, and at sources that can't tell cheaply. */
export const STAMP_INTERVAL = seconds(2);
export const READ_INTERVAL = seconds(60);
/** Keys that were replaced stay so long, for handshakes that began with them. */
export const KEYS_KEPT = seconds(30);
