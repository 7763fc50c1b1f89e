/**
 * The binding that stands in for the global `fetch`: for esbuild's `inject`, beside that of
 * packages/web. An app that doesn't name `fetch` links no client.
 */

export { fetch } from './client/fetch.ts';
