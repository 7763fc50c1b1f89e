/** DOMException, Web IDL §2.8.1: the errors of the web API, told apart by `name`. */

/** Legacy codes by name; names that came later have code 0. */
const CODES: Readonly<Record<string, number>> = {
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
};

export class DOMException extends Error {
  readonly code: number;

  constructor(message = '', nameOrOptions: string | { name?: string; cause?: unknown } = 'Error') {
    super(message);
    const options = typeof nameOrOptions === 'string' ? { name: nameOrOptions } : nameOrOptions;
    const name = options.name ?? 'Error';
    Object.defineProperty(this, 'name', { value: name, configurable: true });
    if ('cause' in options) {
      Object.defineProperty(this, 'cause', { value: options.cause, configurable: true });
    }
    this.code = Object.hasOwn(CODES, name) ? CODES[name]! : 0;
  }

  get [Symbol.toStringTag](): string {
    return 'DOMException';
  }
}
