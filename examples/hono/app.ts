/**
 * A small API on the npm package hono, unmodified: routes, parameters, middleware, HTML, streaming.
 */

import { Hono } from 'hono';
import { html } from 'hono/html';
import { HTTPException } from 'hono/http-exception';
import { stream } from 'hono/streaming';

interface Note {
  readonly id: string;
  readonly text: string;
}

const notes = new Map<string, Note>();
const NOTES_MAX = 1_000;
const app = new Hono();
const item = ({ id, text }: Note) => html`<li><a href="/notes/${id}">${text}</a></li>`;

app.use(async (c, next) => {
  const start = performance.now();
  await next();
  c.header('Server-Timing', `app;dur=${(performance.now() - start).toFixed(1)}`);
});

app.get('/', (c) =>
  c.html(html`<!doctype html>
    <title>Notes</title>
    <h1>${notes.size} notes</h1>
    <ul>
      ${[...notes.values()].map(item)}
    </ul>`),
);

app.get('/notes', (c) => c.json([...notes.values()]));

app.post('/notes', async (c) => {
  const { text } = await c.req.json<{ text?: unknown }>().catch(() => ({ text: undefined }));
  if (typeof text !== 'string') throw new HTTPException(400, { message: 'text is missing' });
  if (notes.size >= NOTES_MAX) throw new HTTPException(507, { message: 'too many notes' });
  const note = { id: crypto.randomUUID(), text };
  notes.set(note.id, note);
  return c.json(note, 201);
});

app.get('/notes/:id', (c) => {
  const note = notes.get(c.req.param('id'));
  return note === undefined ? c.notFound() : c.json(note);
});

app.delete('/notes/:id', (c) => {
  const found = notes.delete(c.req.param('id'));
  return found ? c.body(null, 204) : c.notFound();
});

app.get('/count/:to', (c) =>
  stream(c, async (out) => {
    const to = Math.min(Number(c.req.param('to')), 1_000);
    for (let i = 1; i <= to; i++) await out.writeln(String(i));
  }),
);

export default app;
