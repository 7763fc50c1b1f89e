/** What a peer of Git's protocols may cost, and what happens past each bound. */

/** Commits and tags that a client asks for at once; one more: refused. */
export const WANTS_MAX = 100_000;
/** Commits that a client says it has, in one request; one more: refused. Git stops at 16,384. */
export const HAVES_MAX = 65_536;
/** Ends of a shallow client's history; one more: refused. */
export const SHALLOWS_MAX = 65_536;
/**
 * Prefixes of refs that a client names; with more, all refs are told (gitprotocol-v2, "ls-refs").
 */
export const REF_PREFIXES_MAX = 65_536;
/** Capabilities and options in one request; one more: refused. */
export const CAPABILITIES_MAX = 256;
/** Refs that a server tells of; one more, and the client gives up. */
export const ADVERTISED_REFS_MAX = 1_000_000;
/** Lines of one answer before its pack; one more, and the client gives up. */
export const ANSWER_LINES_MAX = 1_000_000;
/** Of a message of a server's, in bytes; what is behind is cut off. */
export const MESSAGE_BYTES_MAX = 4_096;
/** Of options that a client pushes with (git push -o). */
export const PUSH_OPTIONS_MAX = 64;
/** Of a pack that is pushed, unless told otherwise; more: refused. */
export const PUSH_PACK_BYTES_MAX = 1_073_741_824;
/** Questions of one fetch before the client takes all that it is given. */
export const NEGOTIATION_ROUNDS_MAX = 64;
/** Haves in the first question; twice as many in each next one ... */
export const HAVES_FIRST = 16;
/** ... up to this many. */
export const HAVES_STEP_MAX = 16_384;
/** Haves in a row that no server knew, after which the client asks no more. */
export const HAVES_IN_VAIN_MAX = 256;
/**
 * Commits that a server looks at to see whether it may stop negotiating, or whether a want is one
 * of its own; more: it isn't ready, or the want is refused.
 */
export const WALK_COMMITS_MAX = 200_000;
/** Haves of one conversation in versions 0 and 1; one more: refused. */
export const HAVES_TOLD_MAX = 1_000_000;
/** Refs of a push with objects missing; after so many the others are refused without a look. */
export const PUSH_BROKEN_TIPS_MAX = 16;
/**
 * Commits that a server looks at for all refs of a push together, to see which are fast-forwards;
 * more: the refs that are left are refused, and told why.
 */
export const PUSH_WALK_COMMITS_MAX = 10 * WALK_COMMITS_MAX;
/** Of a pack that is pushed and waits as objects; a longer one waits as it is, where it can. */
export const UNSTAGED_PACK_BYTES_MAX = 1_048_576;
/**
 * Of a push's objects without compression, where they wait in memory (a backend without
 * `stagePack`, a short pack), and 200 for each; more: refused. Of a long pack that waits as it is
 * only those 200 count, for what is known of each object: 1.3 million objects.
 */
export const PUSH_OBJECT_BYTES_MAX = 268_435_456;
/** Prefixes that a client names; with more it asks for all refs. */
export const REF_PREFIXES_ASKED_MAX = 1_000;
/** Objects of a pack that deltas are looked for among, before it is sent; not in a larger one. */
export const SEARCHED_OBJECTS_MAX = 4_096;
