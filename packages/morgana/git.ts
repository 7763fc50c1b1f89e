/** `morgana/git`: repositories over HTTP, served and fetched. */

export {
  type GitAuthorise,
  type GitCaller,
  GitHandler,
  type GitHandlerOptions,
  type GitPushOptions,
} from './git/git-handler.ts';
export { HttpTransport, type HttpTransportOptions } from './git/http-transport.ts';
