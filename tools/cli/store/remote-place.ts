/** Where another repository is, as people write it: a URL, or a directory of this machine. */

import path from 'node:path';
import { usageFailure } from '../failure.ts';
import { safe } from './answers.ts';

export type RemotePlace =
  | { readonly kind: 'http'; readonly url: string }
  | {
      readonly kind: 'daemon';
      readonly host: string;
      readonly port: number;
      /** The host as it is told to the server: with its port unless that is 9418. */
      readonly name: string;
      readonly path: string;
    }
  | { readonly kind: 'directory'; readonly directory: string };

/** git-daemon(1). */
const DAEMON_PORT = 9_418;
const SCHEME = /^([A-Za-z][\w+.-]*):\/\//;
/** As git tells "host:path" from a path: a colon before any slash. */
const SCP_LIKE = /^[^/:]+:/;

/** As it is kept in a configuration: a URL, or a directory in full. */
export function placeText(word: string): string {
  const place = remotePlace(word);
  const text = place.kind === 'directory' ? place.directory : word;
  if (!/["\\\n]/.test(text)) return text;
  throw neither(word);
}

/** Throws a failure for what is none of these. */
export function remotePlace(word: string): RemotePlace {
  const scheme = SCHEME.exec(word)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (SCP_LIKE.test(word)) throw noSsh(word);
    return { kind: 'directory', directory: path.resolve(word) };
  }
  if (/(?:^|\+)ssh(?:\+|$)/.test(scheme)) throw noSsh(word);
  const url = URL.canParse(word) ? new URL(word) : null;
  if (url === null) throw neither(word);
  switch (scheme) {
    case 'http':
    case 'https':
      return { kind: 'http', url: word };
    case 'git':
      return daemonPlace(word, url);
    case 'file':
      return { kind: 'directory', directory: fileDirectory(word, url) };
    default:
      throw neither(word);
  }
}

function daemonPlace(word: string, url: URL): RemotePlace {
  const place = decoded(word, url.pathname);
  // A NUL ends the path in the request (gitprotocol-pack(5), "Git Transport").
  if (url.hostname === '' || place === '' || place === '/' || place.includes('\0')) {
    throw neither(word);
  }
  if (url.username !== '' || url.password !== '') {
    throw usageFailure(
      `'${safe(word)}' names a user`,
      'git:// knows none: leave it out, or use https://',
    );
  }
  const port = url.port === '' ? DAEMON_PORT : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { kind: 'daemon', host, port, name: url.host, path: place };
}

function fileDirectory(word: string, url: URL): string {
  const directory = decoded(word, url.pathname);
  if ((url.hostname !== '' && url.hostname !== 'localhost') || directory.includes('\0')) {
    throw neither(word);
  }
  return path.resolve(directory);
}

function decoded(word: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw neither(word);
  }
}

const neither = (word: string) =>
  usageFailure(`'${safe(word)}' is neither a URL nor a directory`, 'as http://host/repository');

const noSsh = (word: string) =>
  usageFailure(
    `'${safe(word)}' needs SSH, which is not built in`,
    'use http://, https:// or git://, or a directory (./a:b for one with a colon)',
  );
