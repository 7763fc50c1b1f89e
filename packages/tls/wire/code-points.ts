/**
 * Numbers of the IANA registries that this package knows, by the names of the RFCs. Messages hold
 * numbers, because peers send others too (RFC 8701 on purpose).
 */

export const SSL_3_0 = 0x0300;
export const TLS_1_0 = 0x0301;
export const TLS_1_1 = 0x0302;
export const TLS_1_2 = 0x0303;
export const TLS_1_3 = 0x0304;

/** RFC 8446 §B.4; RFC 5289 and RFC 7905 for TLS 1.2. */
export const cipherSuite = {
  TLS_AES_128_GCM_SHA256: 0x1301,
  TLS_AES_256_GCM_SHA384: 0x1302,
  TLS_CHACHA20_POLY1305_SHA256: 0x1303,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 0xc02b,
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 0xc02c,
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 0xc02f,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 0xc030,
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca8,
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 0xcca9,
} as const;
export type CipherSuiteName = keyof typeof cipherSuite;

/** Stand among the suites and mean something else (RFC 5746 §3.3, RFC 7507 §2). */
export const EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff;
export const FALLBACK_SCSV = 0x5600;

/** RFC 8446 §4.2.7. */
export const namedGroup = { secp256r1: 23, secp384r1: 24, x25519: 29 } as const;
export type NamedGroupName = keyof typeof namedGroup;

/** RFC 8446 §4.2.3. */
export const signatureScheme = {
  rsa_pkcs1_sha256: 0x0401,
  rsa_pkcs1_sha384: 0x0501,
  rsa_pkcs1_sha512: 0x0601,
  ecdsa_secp256r1_sha256: 0x0403,
  ecdsa_secp384r1_sha384: 0x0503,
  rsa_pss_rsae_sha256: 0x0804,
  rsa_pss_rsae_sha384: 0x0805,
  rsa_pss_rsae_sha512: 0x0806,
  ed25519: 0x0807,
  rsa_pss_pss_sha256: 0x0809,
  rsa_pss_pss_sha384: 0x080a,
  rsa_pss_pss_sha512: 0x080b,
} as const;
export type SignatureSchemeName = keyof typeof signatureScheme;

export const extensionCode = {
  server_name: 0,
  status_request: 5,
  supported_groups: 10,
  ec_point_formats: 11,
  signature_algorithms: 13,
  application_layer_protocol_negotiation: 16,
  extended_master_secret: 23,
  record_size_limit: 28,
  session_ticket: 35,
  pre_shared_key: 41,
  early_data: 42,
  supported_versions: 43,
  cookie: 44,
  psk_key_exchange_modes: 45,
  certificate_authorities: 47,
  oid_filters: 48,
  post_handshake_auth: 49,
  signature_algorithms_cert: 50,
  key_share: 51,
  renegotiation_info: 0xff01,
} as const;
export type ExtensionName = keyof typeof extensionCode;

/** RFC 8446 §4.2.9. */
export const PSK_KE = 0;
export const PSK_DHE_KE = 1;
/** RFC 8422 §5.1.2. */
export const POINT_UNCOMPRESSED = 0;
/** RFC 6066 §8. */
export const STATUS_OCSP = 1;

function namesOf<N extends string>(codes: Readonly<Record<N, number>>): Map<number, N> {
  return new Map((Object.keys(codes) as N[]).map((name) => [codes[name], name]));
}

const SUITES = namesOf(cipherSuite);
const GROUPS = namesOf(namedGroup);
const SCHEMES = namesOf(signatureScheme);
const EXTENSIONS = namesOf(extensionCode);

/** Each null for a number that isn't in its table. */
export const cipherSuiteNameOf = (code: number): CipherSuiteName | null => SUITES.get(code) ?? null;
export const namedGroupNameOf = (code: number): NamedGroupName | null => GROUPS.get(code) ?? null;
export const signatureSchemeNameOf = (code: number): SignatureSchemeName | null =>
  SCHEMES.get(code) ?? null;
export const extensionNameOf = (code: number): ExtensionName | null => EXTENSIONS.get(code) ?? null;
