/** `morgana/git`: repositories over HTTP, served and fetched. */

export { GitHandler, type GitHandlerOptions } from './git/git-handler.ts';
