/** What Git's formats may cost, and what happens past each bound. */

/** Of one name in a tree; a longer one is malformed (`git fsck` warns of it: largePathname). */
export const NAME_BYTES_MAX = 4_096;
/** Octal digits of a mode; Git writes 5 or 6, and has written 7. Fewer or more is malformed. */
export const MODE_DIGITS_MIN = 5;
export const MODE_DIGITS_MAX = 7;
/** Tags of tags, one after the other, down to what they name; a longer chain is damaged. */
export const TAG_CHAIN_MAX = 64;
/** Of one commit; one more is malformed. Linux's largest merge has 66. */
export const PARENTS_MAX = 1_024;
/** Of the name of a ref; a longer one is refused, as file systems would. */
export const REF_NAME_BYTES_MAX = 1_024;
/** A part of a ref's name becomes a file's name, with ".lock" behind it; longer is refused. */
export const REF_PART_BYTES_MAX = 250;
/** Updates in one transaction; one more is refused. A push of all branches has one a branch. */
export const REF_UPDATES_MAX = 100_000;
/** Of the head of a bundle, some 60 bytes a ref; a longer one is malformed. */
export const BUNDLE_HEAD_BYTES_MAX = 0x0100_0000;
/** Lines of the head of a bundle; one with more is malformed. */
export const BUNDLE_LINES_MAX = 200_000;
/** Problems that a check gives; more are counted. */
export const CHECK_PROBLEMS_MAX = 100;
