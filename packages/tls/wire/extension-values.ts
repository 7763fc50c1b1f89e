/**
 * What each extension holds, one codec each: a reader that a block gives the extension's own bytes
 * (and that must read all of them), and its writer. Which message may have which: extensions.ts.
 */

import type { ByteReader, LengthBytes } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { STATUS_OCSP } from './code-points.ts';

export interface Codec<T> {
  read(from: ByteReader): T;
  write(to: ByteWriter, value: T): void;
}

/** Present, with nothing in it. */
export const flag: Codec<true> = {
  read: () => true,
  write() {},
};

/** All of the extension, whatever it is. */
export const opaque: Codec<Uint8Array> = {
  read: (from) => from.rest(),
  write: (to, value) => to.put(value),
};

export const u16: Codec<number> = {
  read: (from) => from.u16(),
  write: (to, value) => to.u16(value),
};

export const u32: Codec<number> = {
  read: (from) => from.u32(),
  write: (to, value) => to.u32(value),
};

const u16s = (lengthBytes: LengthBytes): Codec<readonly number[]> => ({
  read: (from) => from.u16s(lengthBytes, 2),
  write: (to, value) => to.u16s(lengthBytes, value),
});

const bytesOf = (lengthBytes: LengthBytes, bytesMin: number): Codec<Uint8Array> => ({
  read: (from) => from.vector(lengthBytes, bytesMin),
  write: (to, value) => to.vector(lengthBytes, value),
});

/** Groups (RFC 8446 §4.2.7), signature schemes (§4.2.3). */
export const codes = u16s(2);
/** A client's supported_versions, RFC 8446 §4.2.1. */
export const versions = u16s(1);
/** RFC 8446 §4.2.2. */
export const cookie = bytesOf(2, 1);
/** EC point formats (RFC 8422 §5.1.2), psk_key_exchange_modes (RFC 8446 §4.2.9). */
export const smallCodes = bytesOf(1, 1);
/** RFC 5746 §3.2. */
export const renegotiationInfo = bytesOf(1, 0);

const HOST_NAME = 0;

const NAME_BYTES = /^[A-Za-z0-9._-]+$/;

/**
 * RFC 6066 §3: a list of names with one of type host_name; other types have the same form and are
 * ignored. Faults: illegal_parameter for two, and for bytes that no host name has. Not here:
 * whether it is one.
 */
export const hostName: Codec<string> = {
  read(from) {
    const listAt = from.at;
    const names: string[] = [];
    from.list(2, 1, () => {
      const type = from.u8();
      const nameAt = from.at;
      const name = from.text(2, 1);
      if (type !== HOST_NAME) return;
      if (names.length > 0 || !NAME_BYTES.test(name)) from.fail(nameAt, 'illegal_parameter');
      names.push(name);
    });
    if (names.length === 0) from.fail(listAt, 'decode_error');
    return names[0] ?? '';
  },
  write: (to, value) =>
    to.within(2, () => {
      to.u8(HOST_NAME);
      to.text(2, value);
    }),
};

/** RFC 7301 §3.1: protocols, one char code a byte. */
export const protocols: Codec<readonly string[]> = {
  read: (from) => from.list(2, 2, () => from.text(1, 1)),
  write: (to, value) => to.list(2, value, (name) => to.text(1, name)),
};

/** A server's answer: exactly one (RFC 7301 §3.1). */
export const protocol: Codec<string> = {
  read: (from) => from.within(2, 2, () => from.text(1, 1)),
  write: (to, value) => to.within(2, () => to.text(1, value)),
};

/** RFC 8449 §4. */
const RECORD_SIZE_LIMIT_MIN = 64;

export const recordSizeLimit: Codec<number> = {
  read(from) {
    const valueAt = from.at;
    const value = from.u16();
    if (value < RECORD_SIZE_LIMIT_MIN) from.fail(valueAt, 'illegal_parameter');
    return value;
  },
  write: (to, value) => to.u16(value),
};

/** RFC 6066 §8; `data` is what a type that isn't ocsp has. */
export type StatusRequest =
  | {
      readonly type: 'ocsp';
      readonly responderIds: readonly Uint8Array[];
      readonly requestExtensions: Uint8Array;
    }
  | { readonly type: number; readonly data: Uint8Array };

export const statusRequest: Codec<StatusRequest> = {
  read(from) {
    const type = from.u8();
    if (type !== STATUS_OCSP) return { type, data: from.rest() };
    const responderIds = from.list(2, 0, () => from.vector(2, 1));
    return { type: 'ocsp', responderIds, requestExtensions: from.vector(2) };
  },
  write(to, value) {
    if (value.type !== 'ocsp') {
      to.u8(value.type);
      to.put(value.data);
      return;
    }
    to.u8(STATUS_OCSP);
    to.list(2, value.responderIds, (id) => to.vector(2, id));
    to.vector(2, value.requestExtensions);
  },
};

/** An OCSP response: RFC 6066 §8's CertificateStatus, and RFC 8446 §4.4.2.1's extension. */
export const ocspResponse: Codec<Uint8Array> = {
  read(from) {
    const typeAt = from.at;
    if (from.u8() !== STATUS_OCSP) from.fail(typeAt, 'illegal_parameter');
    return from.vector(3, 1);
  },
  write(to, value) {
    to.u8(STATUS_OCSP);
    to.vector(3, value);
  },
};

/** RFC 8446 §4.2.8. */
export interface KeyShare {
  readonly group: number;
  readonly keyExchange: Uint8Array;
}

export const keyShare: Codec<KeyShare> = {
  read: (from) => ({ group: from.u16(), keyExchange: from.vector(2, 1) }),
  write(to, value) {
    to.u16(value.group);
    to.vector(2, value.keyExchange);
  },
};

/** A client's: each group once. None at all asks for a HelloRetryRequest. */
export const keyShares: Codec<readonly KeyShare[]> = {
  read(from) {
    const groups = new Set<number>();
    return from.list(2, 0, () => {
      const shareAt = from.at;
      const share = keyShare.read(from);
      if (groups.has(share.group)) from.fail(shareAt, 'illegal_parameter');
      groups.add(share.group);
      return share;
    });
  },
  write: (to, value) => to.list(2, value, (share) => keyShare.write(to, share)),
};

/** RFC 8446 §4.2.11. */
export interface PskIdentity {
  readonly identity: Uint8Array;
  readonly obfuscatedAge: number;
}

export interface OfferedPsks {
  readonly identities: readonly PskIdentity[];
  /** One for each identity. */
  readonly binders: readonly Uint8Array[];
}

const BINDER_BYTES_MIN = 32;

export const offeredPsks: Codec<OfferedPsks> = {
  read(from) {
    const identities = from.list(2, 7, () => ({
      identity: from.vector(2, 1),
      obfuscatedAge: from.u32(),
    }));
    const bindersAt = from.at;
    const binders = from.list(2, 1 + BINDER_BYTES_MIN, () => from.vector(1, BINDER_BYTES_MIN));
    if (binders.length !== identities.length) from.fail(bindersAt, 'illegal_parameter');
    return { identities, binders };
  },
  write(to, { identities, binders }) {
    to.list(2, identities, ({ identity, obfuscatedAge }) => {
      to.vector(2, identity);
      to.u32(obfuscatedAge);
    });
    to.list(2, binders, (binder) => to.vector(1, binder));
  },
};

/**
 * Bytes at the end of a ClientHello with pre_shared_key that its binders don't cover (RFC 8446
 * §4.2.11.2): the list of binders with its length.
 */
export const bindersBytes = ({ binders }: OfferedPsks): number =>
  binders.reduce((sum, binder) => sum + 1 + binder.length, 2);

/** Distinguished names in DER: RFC 8446 §4.2.4. */
export const authorities: Codec<readonly Uint8Array[]> = {
  read: (from) => from.list(2, 3, () => from.vector(2, 1)),
  write: (to, value) => to.list(2, value, (name) => to.vector(2, name)),
};

/** RFC 8446 §4.2.5. */
export interface OidFilter {
  readonly oid: Uint8Array;
  readonly values: Uint8Array;
}

export const oidFilters: Codec<readonly OidFilter[]> = {
  read: (from) => from.list(2, 0, () => ({ oid: from.vector(1, 1), values: from.vector(2) })),
  write: (to, value) =>
    to.list(2, value, ({ oid, values }) => {
      to.vector(1, oid);
      to.vector(2, values);
    }),
};
