/** What merging and histories may cost, and what happens past each bound. */

/** Commits that one walk or search of common ancestors reads; one more: 'too many commits'. */
export const WALK_COMMITS_MAX = 4_000_000;
/** Lowest common ancestors of two commits; one more: 'too many ancestors'. */
export const COMMON_ANCESTORS_MAX = 1_000;
/** Virtual bases that one merge makes of several common ancestors; one more: 'too many bases'. */
export const VIRTUAL_BASES_MAX = 1_000;
/** Trees inside of trees that a merge goes down; a deeper one: 'too deep'. Git allows as many. */
export const TREE_DEPTH_MAX = 2_048;
/** Conflicts that a merge lists; further ones are counted only. */
export const CONFLICTS_MAX = 1_000;
/** Arrays and objects inside of each other in JSON contents; deeper is malformed. */
export const JSON_DEPTH_MAX = 256;
/** Edits that a diff looks for; texts with more differ as a whole between their equal ends. */
export const DIFF_EDITS_MAX = 1_000;
/** Notes of conflicts that a record keeps; the oldest ones are dropped. */
export const NOTES_MAX = 100;

/** Last entries of a linked log, and entries that one links; more are malformed. */
export const LOG_HEADS_MAX = 1_024;

/** Of a proof as it is written; a bigger one isn't made, or is malformed. */
export const PROOF_BYTES_MAX = 67_108_864;
/** Objects in a proof; one with more isn't made, or is malformed. */
export const PROOF_OBJECTS_MAX = 65_536;

/** Of one path; one more is a 'bad path'. */
export const PATH_STEPS_MAX = 1_024;
/** Of parsed objects in memory, unless a repository is told otherwise; the oldest are dropped. */
export const CACHE_BYTES = 16_777_216;
/** Times that a transaction begins again because somebody else was quicker; then an error. */
export const RETRIES = 13;
