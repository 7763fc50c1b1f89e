/**
 * The flags that BoGo's runner gives a shim (ssl/test/test_config.cc of BoringSSL), as far as they
 * mean something to us. A flag that we can't do ends the test as unimplemented.
 */

/** What one connection of a test is to be. */
export interface TestConfig {
  isServer: boolean;
  port: number;
  resumeCount: number;
  minVersion: number;
  maxVersion: number;
  curves: number[];
  signingPrefs: number[];
  verifyPrefs: number[];
  keyFile: string;
  certFile: string;
  clientAuth: 'none' | 'optional' | 'required';
  alpn: readonly string[];
  expectAlpn: string | null;
  expectServerName: string | null;
  expectSessionMiss: boolean;
  expectVersion: number;
  expectCurve: number;
  expectPeerScheme: number;
  expectPeerCertFile: string;
  expectOcsp: string;
  ocsp: string;
  noTicket: boolean;
  shimWritesFirst: boolean;
  shimShutsDown: boolean;
  checkCloseNotify: boolean;
  writeDifferentRecordSizes: boolean;
}

export const emptyConfig = (): TestConfig => ({
  isServer: false,
  port: 0,
  resumeCount: 0,
  minVersion: 0x0303,
  maxVersion: 0x0304,
  curves: [],
  signingPrefs: [],
  verifyPrefs: [],
  keyFile: '',
  certFile: '',
  clientAuth: 'none',
  alpn: [],
  expectAlpn: null,
  expectServerName: null,
  expectSessionMiss: false,
  expectVersion: 0,
  expectCurve: 0,
  expectPeerScheme: 0,
  expectPeerCertFile: '',
  expectOcsp: '',
  ocsp: '',
  noTicket: false,
  shimWritesFirst: false,
  shimShutsDown: false,
  checkCloseNotify: false,
  writeDifferentRecordSizes: false,
});

type Apply = (config: TestConfig, value: string) => void;

const number =
  (set: (config: TestConfig, value: number) => void): Apply =>
  (config, value) =>
    set(config, Number(value));

/** Flags with a value. */
const VALUED: Readonly<Record<string, Apply>> = {
  port: number((config, value) => {
    config.port = value;
  }),
  'resume-count': number((config, value) => {
    config.resumeCount = value;
  }),
  'min-version': number((config, value) => {
    config.minVersion = value;
  }),
  'max-version': number((config, value) => {
    config.maxVersion = value;
  }),
  curves: number((config, value) => {
    config.curves.push(value);
  }),
  'signing-prefs': number((config, value) => {
    config.signingPrefs.push(value);
  }),
  'verify-prefs': number((config, value) => {
    config.verifyPrefs.push(value);
  }),
  'key-file': (config, value) => {
    config.keyFile = value;
  },
  'cert-file': (config, value) => {
    config.certFile = value;
  },
  'advertise-alpn': (config, value) => {
    config.alpn = namesOf(value);
  },
  'select-alpn': (config, value) => {
    config.alpn = [value];
  },
  'expect-alpn': (config, value) => {
    config.expectAlpn = value;
  },
  'expect-server-name': (config, value) => {
    config.expectServerName = value;
  },
  'expect-version': number((config, value) => {
    config.expectVersion = value;
  }),
  'expect-curve-id': number((config, value) => {
    config.expectCurve = value;
  }),
  'expect-peer-signature-algorithm': number((config, value) => {
    config.expectPeerScheme = value;
  }),
  'expect-peer-cert-file': (config, value) => {
    config.expectPeerCertFile = value;
  },
  'expect-ocsp-response': (config, value) => {
    config.expectOcsp = value;
  },
  'ocsp-response': (config, value) => {
    config.ocsp = value;
  },
  // What we do is not for the test to say.
  'read-size': () => {},
  'expect-advertised-alpn': () => {},
  'expect-msg-callback': () => {},
  'handshaker-path': () => {},
  'expect-peer-verify-pref': () => {},
  'expect-certificate-types': () => {},
};

/** Flags without one. */
const SIMPLE: Readonly<Record<string, Apply>> = {
  server: (config) => {
    config.isServer = true;
  },
  'require-any-client-certificate': (config) => {
    config.clientAuth = 'required';
  },
  'verify-peer': (config) => {
    if (config.clientAuth === 'none') config.clientAuth = 'optional';
  },
  'no-tls13': (config) => {
    config.maxVersion = Math.min(config.maxVersion, 0x0303);
  },
  'no-tls12': (config) => {
    config.minVersion = Math.max(config.minVersion, 0x0304);
  },
  'decline-alpn': (config) => {
    config.alpn = [];
  },
  'reject-alpn': (config) => {
    config.alpn = ['nobody offers this'];
  },
  'expect-session-miss': (config) => {
    config.expectSessionMiss = true;
  },
  'no-ticket': (config) => {
    config.noTicket = true;
  },
  'shim-writes-first': (config) => {
    config.shimWritesFirst = true;
  },
  'shim-shuts-down': (config) => {
    config.shimShutsDown = true;
  },
  'check-close-notify': (config) => {
    config.checkCloseNotify = true;
  },
  'write-different-record-sizes': (config) => {
    config.writeDifferentRecordSizes = true;
  },
};

/** Flags that change nothing that the other end sees, or that are always so with us. */
const ALWAYS_SO = new Set([
  ...[
    'async',
    'implicit-handshake',
    'no-tls1',
    'no-tls11',
    'enable-ocsp-stapling',
    'partial-write',
  ],
  ...['use-custom-verify-callback', 'expect-verify-result', 'peek-then-read'],
  ...['expect-extended-master-secret', 'expect-secure-renegotiation', 'server-preference'],
  ...['forbid-renegotiation-after-handshake', 'no-op-extra-handshake', 'handshake-twice'],
  ...['expect-hrr', 'expect-no-hrr', 'use-early-callback', 'enforce-rsa-key-usage'],
  ...['use-old-client-cert-callback', 'expect-no-session', 'allow-unknown-alpn-protos'],
  ...['expect-session-id', 'expect-no-session-id', 'expect-ticket-renewal'],
]);

export class Unimplemented extends Error {}

export interface Test {
  readonly initial: TestConfig;
  readonly resume: TestConfig;
}

/** Throws Unimplemented at the first flag that we can't do. */
export function parseFlags(args: readonly string[]): Test {
  const initial = emptyConfig();
  const resume = emptyConfig();
  const words = args.values();
  for (const word of words) {
    const whole = word.replace(/^-on-shim-/, '-');
    const [, when = '', name = ''] = /^-(on-initial-|on-resume-|on-retry-)?(.*)$/.exec(whole) ?? [];
    if (when === 'on-retry-') throw new Unimplemented(word);
    const valued = VALUED[name];
    const apply = valued ?? SIMPLE[name] ?? (ALWAYS_SO.has(name) ? () => {} : null);
    if (apply === null) throw new Unimplemented(word);
    const value = valued === undefined ? '' : (words.next().value ?? '');
    if (when !== 'on-resume-') apply(initial, value);
    if (when !== 'on-initial-') apply(resume, value);
  }
  return { initial, resume };
}

/** A list of names as in the extension: each after its length. */
function namesOf(list: string): string[] {
  const names: string[] = [];
  for (let at = 0; at < list.length; ) {
    const end = at + 1 + list.charCodeAt(at);
    names.push(list.slice(at + 1, end));
    at = end;
  }
  return names;
}
