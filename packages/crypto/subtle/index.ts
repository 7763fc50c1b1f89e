export { CryptoKey, type CryptoKeyPair, type KeyUsage } from './crypto-key.ts';
export { SubtleCrypto, type SubtleOptions } from './subtle-crypto.ts';
