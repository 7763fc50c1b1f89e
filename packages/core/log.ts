/** Logging with a level per source. A line is built only when its level is on. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'off';
const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, off: 4 };

export const isLogLevel = (text: string): text is LogLevel => Object.hasOwn(RANK, text);

/** Sources with a level of their own; setLevels refuses one more. */
export const LOG_LEVELS_MAX = 256;

/**
 * Applies "LEVEL" or "LEVEL,source:LEVEL,..." to all of its parts up to a wrong one; one sentence
 * about that when there is one.
 */
export function setLevels(log: Log, text: string): string | null {
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const colon = part.indexOf(':');
    const source = colon < 0 ? '*' : part.slice(0, colon);
    const level = part.slice(colon + 1) as LogLevel;
    if (source === '' || !isLogLevel(level)) {
      const levels = 'debug, info, warn, error, off or source:level';
      return `expected ${levels}, not '${part}'`;
    }
    if (seen.has(source)) return `'${source}' is given twice`;
    seen.add(source);
    if (!log.mayHaveLevel(source)) return `more than ${LOG_LEVELS_MAX} sources have levels`;
    log.setLevel(source, level);
  }
  return null;
}

/** Takes finished lines, without a newline. */
export type LogSink = (line: string) => void;

export class Logger {
  readonly source: string;
  private rank: number;
  private readonly sink: LogSink;

  constructor(source: string, level: LogLevel, sink: LogSink) {
    this.source = source;
    this.rank = RANK[level];
    this.sink = sink;
  }

  setLevel(level: LogLevel): void {
    this.rank = RANK[level];
  }

  /** Ask before building an expensive line. */
  isOn(level: Exclude<LogLevel, 'off'>): boolean {
    return RANK[level] >= this.rank;
  }

  debug(message: string): void {
    if (this.rank <= RANK.debug) this.sink(`debug ${this.source}: ${message}`);
  }

  info(message: string): void {
    if (this.rank <= RANK.info) this.sink(`info ${this.source}: ${message}`);
  }

  warn(message: string): void {
    if (this.rank <= RANK.warn) this.sink(`warn ${this.source}: ${message}`);
  }

  error(message: string): void {
    if (this.rank <= RANK.error) this.sink(`error ${this.source}: ${message}`);
  }
}

/** All sources of a program. A level set for '*' is the default of sources not named. */
export class Log {
  private readonly sink: LogSink;
  private readonly followers = new Set<LogSink>();
  private readonly levels = new Map<string, LogLevel>();
  private readonly loggers = new Map<string, Logger>();

  constructor(sink: LogSink, level: LogLevel) {
    this.sink = (line) => {
      sink(line);
      for (const follower of this.followers) follower(line);
    };
    this.levels.set('*', level);
  }

  source(name: string): Logger {
    let logger = this.loggers.get(name);
    if (logger === undefined) {
      logger = new Logger(name, this.levelOf(name), this.sink);
      this.loggers.set(name, logger);
    }
    return logger;
  }

  /** Sets the level of one source, made or to be made, or of '*', the default. */
  setLevel(source: string, level: LogLevel): void {
    this.levels.set(source, level);
    for (const [name, logger] of this.loggers) logger.setLevel(this.levelOf(name));
  }

  /** Whether `source` has a level of its own, or one more source may have. */
  mayHaveLevel(source: string): boolean {
    return this.levels.has(source) || this.levels.size < LOG_LEVELS_MAX;
  }

  /** Those set, and those of all sources so far. */
  levelsBySource(): Readonly<Record<string, LogLevel>> {
    const names = new Set([...this.levels.keys(), ...this.loggers.keys()]);
    return Object.fromEntries([...names].map((name) => [name, this.levelOf(name)]));
  }

  /** Gives `follower` each later line too, after the sink; the result ends that. */
  follow(follower: LogSink): () => void {
    this.followers.add(follower);
    return () => void this.followers.delete(follower);
  }

  private levelOf(name: string): LogLevel {
    return this.levels.get(name) ?? this.levels.get('*') ?? 'info';
  }
}
