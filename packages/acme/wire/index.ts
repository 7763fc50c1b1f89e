/**
 * Parsers of what certificate authorities send. For any bytes or text: a representation or a fault,
 * never a throw.
 */

export { base64url, fromBase64url } from './base64url.ts';
export { type DocumentFault, formatDocumentFault, parseTime } from './document.ts';
export { emitSlot, type KeptSlot, type KeptState, parseSlot } from './kept-state.ts';
export {
  formatProblem,
  PROBLEM_TYPES,
  type Problem,
  type ProblemType,
  parseProblem,
} from './problem.ts';
export {
  type Account,
  type Authorization,
  type Challenge,
  type Directory,
  type Identifier,
  isToken,
  type Order,
  orderRank,
  parseAccount,
  parseAuthorization,
  parseDirectory,
  parseOrder,
  parseRenewalInfo,
  type RenewalInfo,
} from './resources.ts';
export { type AcmeUrl, parseUrl, resolveUrl, type UrlFault } from './url.ts';
