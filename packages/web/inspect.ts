/** Values as text for people, in the manner of Node's util.inspect; the form is not a contract. */

const DEPTH_MAX = 3;
const ITEMS_MAX = 100;
const LINE_COLUMNS = 72;

/** Text of any value; never throws on a getter or a proxy that does. */
export function inspect(value: unknown): string {
  return show(value, 0, []);
}

function show(value: unknown, depth: number, parents: readonly object[]): string {
  try {
    return showAny(value, depth, parents);
  } catch (error) {
    try {
      return `[throws when it is looked at: ${String(error)}]`;
    } catch {
      return '[throws when it is looked at]';
    }
  }
}

function showAny(value: unknown, depth: number, parents: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return showFunction(value);
    case 'object':
      return value === null ? 'null' : showObject(value, depth, parents);
    default:
      return Object.is(value, -0) ? '-0' : String(value);
  }
}

const quote = (text: string): string =>
  text.includes("'")
    ? JSON.stringify(text)
    : `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"')}'`;

function showFunction(value: { name: string; toString(): string }): string {
  // Not by its source text, which an image hasn't got.
  const prototype = Object.getOwnPropertyDescriptor(value, 'prototype');
  const kind = prototype?.writable === false ? 'class' : 'Function';
  return value.name === '' ? `[${kind} (anonymous)]` : `[${kind}: ${value.name}]`;
}

function showObject(value: object, depth: number, parents: readonly object[]): string {
  if (parents.includes(value)) return '[Circular]';
  const within = [...parents, value];
  if (value instanceof Error) return showError(value, depth, within);
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (depth > DEPTH_MAX) return `[${nameOf(value)}]`;
  return showParts(value, depth, within);
}

function showError(error: Error, depth: number, parents: readonly object[]): string {
  const title = `${error.name}: ${error.message}`;
  const stack = error.stack ?? '';
  // An engine's stack may or may not begin with the message.
  let text = stack.startsWith(title) ? stack : `${title}\n${stack}`;
  text = text.trimEnd();
  const extra = Object.keys(error).filter((key) => key !== 'stack' && key !== 'message');
  if (extra.length > 0) {
    text += ` ${show(Object.fromEntries(extra.map((key) => [key, Reflect.get(error, key)])), depth + 1, parents)}`;
  }
  if (error.cause === undefined) return text;
  return `${text}\n  cause: ${show(error.cause, depth + 1, parents)}`;
}

function nameOf(value: object): string {
  if (Array.isArray(value)) return 'Array';
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return 'Object: null prototype';
  // A bundler may rename a class, not its tag.
  const name = Reflect.get(value, Symbol.toStringTag) ?? value.constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

function showParts(value: object, depth: number, parents: readonly object[]): string {
  const each = (item: unknown) => show(item, depth + 1, parents);
  const name = nameOf(value);
  if (Array.isArray(value)) return wrap('', '[', list(value, each), ']');
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const typed = value as Uint8Array;
    return wrap(`${name}(${typed.length}) `, '[', list(typed, each), ']');
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
  if (value instanceof Set) return wrap(`Set(${value.size}) `, '{', list([...value], each), '}');
  if (value instanceof Map) {
    const pairs = [...value].slice(0, ITEMS_MAX).map(([k, v]) => `${each(k)} => ${each(v)}`);
    return wrap(`Map(${value.size}) `, '{', more(pairs, value.size), '}');
  }
  if (value instanceof Promise) return 'Promise {}';
  if (typeof (value as { entries?: unknown }).entries === 'function' && Symbol.iterator in value) {
    const pairs = [...(value as Iterable<[string, unknown]>)].map(
      ([k, v]) => `${quote(k)} => ${each(v)}`,
    );
    return wrap(`${name} `, '{', pairs, '}');
  }
  return wrap(name === 'Object' ? '' : `${name} `, '{', properties(value, each), '}');
}

function list(items: ArrayLike<unknown>, each: (item: unknown) => string): string[] {
  const shown: string[] = [];
  for (let i = 0; i < Math.min(items.length, ITEMS_MAX); i++) {
    shown.push(i in items ? each(items[i]) : '<empty>');
  }
  return more(shown, items.length);
}

const more = (shown: string[], total: number): string[] =>
  total > shown.length ? [...shown, `... ${total - shown.length} more`] : shown;

function properties(value: object, each: (item: unknown) => string): string[] {
  // Names with an underscore are the insides of this package's own classes.
  const own = Object.keys(value);
  const keys = own.length > 0 || nameOf(value) === 'Object' ? own : [];
  const shown = keys.slice(0, ITEMS_MAX).map((key) => {
    const name = /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
    const getter = Object.getOwnPropertyDescriptor(value, key)?.get;
    return `${name}: ${getter === undefined ? each(Reflect.get(value, key)) : '[Getter]'}`;
  });
  return more(shown, keys.length);
}

function wrap(prefix: string, open: string, parts: readonly string[], close: string): string {
  if (parts.length === 0) return `${prefix}${open}${close}`;
  const line = parts.join(', ');
  if (line.length <= LINE_COLUMNS && !line.includes('\n'))
    return `${prefix}${open} ${line} ${close}`;
  const lines = parts.map((part) => `  ${part.replaceAll('\n', '\n  ')}`);
  return `${prefix}${open}\n${lines.join(',\n')}\n${close}`;
}

/** What console.log prints for its arguments: Console standard §2.2 "Formatter". */
export function formatArguments(args: readonly unknown[]): string {
  const [first, ...rest] = args;
  if (typeof first !== 'string') return args.map(plain).join(' ');
  let used = 0;
  const text = first.replace(/%[sdifoOjc%]/g, (directive) => {
    if (directive === '%%') return rest.length > 0 ? '%' : directive;
    if (used >= rest.length) return directive;
    return formatOne(directive, rest[used++]);
  });
  return [text, ...rest.slice(used).map(plain)].join(' ');
}

const plain = (value: unknown): string => (typeof value === 'string' ? value : inspect(value));

/** Console standard §2.2.1 step 4: what can't be a number is NaN. */
const primitive = (value: unknown): unknown =>
  typeof value === 'symbol' || (typeof value === 'object' && value !== null) ? Number.NaN : value;

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'undefined';
  } catch {
    return '[Circular]';
  }
}

function formatOne(directive: string, value: unknown): string {
  switch (directive) {
    case '%d':
      return typeof value === 'bigint' ? `${value}n` : String(Number(primitive(value)));
    case '%i':
      return typeof value === 'bigint' ? `${value}n` : String(Number.parseInt(plain(value), 10));
    case '%f':
      return String(Number.parseFloat(plain(value)));
    case '%j':
      return jsonOf(value);
    case '%c':
      return '';
    case '%s':
      return plain(value);
    default:
      return inspect(value);
  }
}
