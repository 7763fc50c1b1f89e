/**
 * `morgana/git`: repositories over HTTP, served and fetched. What a repository is kept in, and what a
 * remote says: packages/git.
 */

export {
  type ExchangeError,
  type FetchOptions,
  type FetchReport,
  formatExchangeError,
  MemoryBackend,
  type ObjectBackend,
  type ObjectId,
  type PushedRef,
  type PushedRefs,
  type PushOptions,
  Remote,
} from '#git';
export {
  type GitAuthorise,
  type GitCaller,
  GitHandler,
  type GitHandlerOptions,
  type GitPushOptions,
} from './git/git-handler.ts';
export { HttpTransport, type HttpTransportOptions } from './git/http-transport.ts';
export { PulledBranch } from './git/pulled-branch.ts';
export {
  gitHandler,
  type HasBackend,
  type HttpRemoteOptions,
  httpRemote,
  type PullBranchOptions,
  pullBranch,
  type ServedGitOptions,
  webhook,
} from './git/repository-git.ts';
export { WEBHOOK_BODY_BYTES_MAX, Webhook } from './git/webhook.ts';
