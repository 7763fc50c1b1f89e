/** What certificates may cost, and what happens past each bound. */

/** A longer certificate, or request for one, is malformed. Those of public CAs have 1 to 6 KiB. */
export const CERTIFICATE_BYTES_MAX = 32_768;
/** A longer list of revoked certificates is malformed. */
export const CRL_BYTES_MAX = 1_048_576;
/** Nesting inside of a value whose type we don't know; deeper is malformed. */
export const DER_DEPTH_MAX = 12;
/** Bytes of an object identifier; a longer one is malformed. A UUID's (2.25.x) has 20. */
export const OID_BYTES_MAX = 40;
/** RFC 5280 §4.1.2.2: a longer serial number is malformed. */
export const SERIAL_BYTES_MAX = 20;
/** Attributes of a name; more is malformed. */
export const NAME_ATTRIBUTES_MAX = 32;
/** Extensions of a certificate; more is malformed. */
export const EXTENSIONS_MAX = 32;
/** Names, purposes or subtrees in one extension; more is malformed. */
export const EXTENSION_ITEMS_MAX = 1_024;
/** Blocks of a PEM text; more: the text is refused. A CA bundle has about 150. */
export const PEM_BLOCKS_MAX = 1_024;
/** Characters of a PEM text; more: the text is refused. */
export const PEM_CHARACTERS_MAX = 2_097_152;

/** RFC 8446 and the CA/Browser Forum ask for 2,048; shorter ones are 'weak key'. */
export const RSA_BITS_MIN = 2_048;
/** A larger modulus costs seconds to check in an image: 'unsupported'. */
export const RSA_BITS_MAX = 8_192;

/** Certificates that a peer sends; one more: 'too much work'. */
export const CHAIN_CERTIFICATES_MAX = 16;
/** CA certificates between leaf and anchor; a path with one more isn't looked for. */
export const PATH_INTERMEDIATES_MAX = 8;
/** Signatures checked for one chain; one more: 'too much work'. */
export const PATH_SIGNATURES_MAX = 32;
/** Certificates that are considered as an issuer for one chain; one more: 'too much work'. */
export const PATH_STEPS_MAX = 512;
/** Names compared with name constraints for one chain; one more: 'too much work'. */
export const PATH_COMPARISONS_MAX = 4_096;
/** Revocation lists for one chain; more is a broken promise of the caller. */
export const PATH_CRLS_MAX = 64;
