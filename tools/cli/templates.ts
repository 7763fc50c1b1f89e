/** The applications that `morgana new` writes. tests/cli/new.test.ts builds each of them. */

import type { TEMPLATES } from './verbs.ts';

type Template = (typeof TEMPLATES)[number];

interface Files {
  readonly files: Readonly<Record<string, string>>;
  /** What to name to the other verbs, relative to the new directory. */
  readonly app: string;
}

export function templateFiles(template: Template, name: string): Files {
  switch (template) {
    case 'static':
      return {
        files: { 'htdocs/index.html': page(name), 'htdocs/404.html': notFound },
        app: 'htdocs',
      };
    case 'handler':
      return { files: { 'app.ts': handler(name) }, app: 'app.ts' };
    case 'devices':
      return {
        files: {
          'morgana.config.ts': config(name),
          'main.ts': main,
          'htdocs/index.html': page(name),
        },
        app: '.',
      };
  }
}

const page = (name: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${name}</title>
<h1>${name}</h1>
<p>Served without an operating system.</p>
</html>
`;

const notFound = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Not found</title>
<h1>Not found</h1>
</html>
`;

const handler = (name: string): string => `import type { Reload } from 'morgana';

const started = performance.now();

/** "morgana dev" then puts changes in place: open connections go on. */
export const reload: Reload = () => {};

export default {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === '/') return new Response('Hello from ${name}.\\n');
    if (url.pathname === '/uptime') {
      return Response.json({ milliseconds: Math.round(performance.now() - started) });
    }
    return new Response('Not found.\\n', { status: 404 });
  },
};
`;

const config = (
  name: string,
): string => `import { arg, defineUnikernel, kv, net } from 'morgana/config';

export default defineUnikernel({
  name: '${name}',
  main: './main.ts',
  devices: { stack: net.stack(), site: kv.directory('./htdocs') },
  args: { port: arg.port({ default: 80, doc: 'TCP port of the service' }) },
});
`;

const main = `import type { Start } from 'morgana';
import { serveHttp, StaticSite } from 'morgana/http';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async (context) => {
  const { stack, site, args, clock } = context;
  await serveHttp(stack, args.port, new StaticSite(site, clock), context);
};
`;
