/** Where the first version of a development build's application is, in the machine's content. */

/** No device's name: those are names of properties in a configuration. */
export const SCRIPT_CONTENT = 'morgana:script';
export const SCRIPT_PATH = 'script';
