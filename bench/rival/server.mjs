// `server.mjs [SITE [PORT [CERTIFICATE KEY]]]`: a static file server on node:http, as lean as it can be: every file is read
// once at start, its headers are made once, and a request is one Map lookup and one write.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';

const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };
const [site = '/site', port = '80', certificate, key] = process.argv.slice(2);
const files = new Map();
for (const name of readdirSync(site, { recursive: true })) {
  if (!statSync(`${site}/${name}`).isFile()) continue;
  const body = readFileSync(`${site}/${name}`);
  const type = types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
  const file = { body, headers: { 'Content-Type': type, 'Content-Length': body.length } };
  files.set(`/${name}`, file);
  if (/(^|\/)index\.html$/.test(name)) files.set(`/${name.slice(0, -'index.html'.length)}`, file);
}
function answer(request, response) {
  const file = files.get(request.url);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, file.headers);
  response.end(file.body);
}
const server =
  certificate === undefined
    ? createServer(answer)
    : createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer);
server.keepAliveTimeout = 75_000;
server.maxRequestsPerSocket = 0;
server.listen({ port: Number(port), host: '0.0.0.0', backlog: 1024 });
