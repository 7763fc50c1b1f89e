/**
 * Bounds of morgana.compose.ts. On their own: the command line knows them before it reads one, and
 * would load all of the network's protocols with the checks.
 */

/** More unikernels than this are refused: a laptop is meant. */
export const COMPOSE_UNIKERNELS_MAX = 64;
export const COMPOSE_NETWORKS_MAX = 16;
/** Of the project's name and another's with a '-' between: it is a name of a host, too. */
export const COMPOSE_NAMES_CHARACTERS_MAX = 63;
/** The longest time that a file may name: an hour. */
export const COMPOSE_MILLIS_MAX = 3_600_000;
