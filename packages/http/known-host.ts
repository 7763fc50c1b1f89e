/**
 * Whether a request was meant for this server. A page of another site can let its own name lead to
 * our address (DNS rebinding): its requests then are of one origin with us, and only the name gives
 * it away. Names that nobody but us can have are safe, others must be given. Read first: RFC 9110
 * §7.2, RFC 6761 §6.3.
 */

const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/**
 * True for an address, 'localhost' with what is below it, and for `names` (no ports, any case).
 * `host` is Host's value, with or without a port.
 */
export function isKnownHost(host: string, names: readonly string[] = []): boolean {
  if (/^\[[0-9a-f:.]+\](?::\d*)?$/i.test(host)) return true;
  const name = host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase();
  if (IPV4.test(name) || name === 'localhost' || name.endsWith('.localhost')) return true;
  return names.some((known) => known.toLowerCase() === name);
}
