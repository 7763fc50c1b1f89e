/** The Piñata's only page: the challenge, the rules of its ports, and what it is made of. */

import type { LinkedPart } from 'morgana/linked';

export interface PageFacts {
  /** PEM. */
  readonly authority: string;
  readonly isTestAuthority: boolean;
  readonly linked: readonly LinkedPart[];
}

const LOGO = `<svg viewBox="0 0 120 72" role="img" aria-label="a piñata, unbroken" width="240">
<path fill="#e4572e" d="M18 22l10 8h44l8-18 10 4 12 14-12 4-4 14-8 4v16h-8V54H42v14h-8V50l-8-8z"/>
<path d="M28 30h44M26 37h58M28 44h50" stroke="#f3d34a" stroke-width="4" fill="none"/>
<path d="M60 30V2" stroke="#777" stroke-width="2"/><circle cx="88" cy="22" r="2"/></svg>`;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** The whole answer to any request, head and page. */
export function page(facts: PageFacts): string {
  const html = body(facts);
  const bytes = new TextEncoder().encode(html).length;
  const head = ['HTTP/1.1 200 OK', 'Content-Type: text/html; charset=utf-8'];
  head.push(`Content-Length: ${bytes}`, 'Connection: close', '', '');
  return head.join('\r\n') + html;
}

const row = ({ name, bytes }: LinkedPart): string => `${String(bytes).padStart(9)}  ${name}`;

const body = ({ authority, isTestAuthority, linked }: PageFacts): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>You have reached the Piñata</title>
<style>
body { font: 17px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; background: #f4f1ea; padding: 1rem; font-size: 13px }
</style>
${LOGO}
<h1>You have reached the Piñata.</h1>
<p>This is a virtual machine with no operating system in it, written in TypeScript down to the
Ethernet frames. It holds a secret, and it gives it away: over TLS, to whoever shows a certificate
that its own authority signed. The authority's key was made at boot, signed three certificates and
was destroyed. Only the Piñata can talk to the Piñata. Get the secret all the same, and you have
smashed it.</p>
<h2>Where to hit</h2>
<ul>
<li><b>Port 10000</b>: a TLS server. It asks for your certificate and checks it.</li>
<li><b>Port 10001</b>: connect, and you are disconnected. The Piñata then connects to port 40001
of your address, as a TLS client that shows its certificate and checks yours.</li>
<li><b>Port 10002</b>: connect, and the Piñata is the TLS client on that very connection.</li>
</ul>
<p>In each, both ends prove who they are before one byte of the secret is sent. The server on 10000
and the client on 10002 or 10001 can be connected to each other: carry the bytes between them, be
the man in the middle, watch the secret pass, encrypted, and learn.</p>
<h2>Rules</h2>
<p>Any layer counts: the virtual machine, Ethernet, TCP/IP, TLS, X.509, the cryptography. Please
break nothing that isn't the Piñata's. That nobody has smashed it is no proof that nobody can. Tell
us what you find, as docs/security.md in the source says.</p>
<h2>The authority</h2>
${isTestAuthority ? '<p><b>A test</b>: this authority’s key is published. The secret is none.</p>\n' : ''}<pre>${escaped(authority)}</pre>
<h2>All that is linked into this image</h2>
<pre>${escaped(linked.map(row).join('\n'))}</pre>
<p>The same image without the secret: <code>morgana build examples/pinata</code>. The secret is a
boot-time argument.</p>
</html>
`;
