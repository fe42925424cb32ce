import pino, { type DestinationStream } from 'pino';
import type { LogFields, Logger } from '../core/logger.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A logger whose threshold can be moved while it runs. */
export interface LeveledLogger extends Logger {
  setLevel(level: LogLevel): void;
}

/** The logger of a whole process. */
export interface ProcessLogger extends LeveledLogger {
  /** An `info` line that is written whatever the threshold: the supervisor waits for it. */
  announce(event: string, fields: LogFields): void;
}

export interface LoggerOptions {
  /** The daemon's name, on every line. */
  readonly daemon: string;
  readonly level: LogLevel;
  /** Whoever started the process chose the level: `setLevel` changes nothing. */
  readonly pinned?: boolean;
  /** Puts the syslog priority before each line, which journald reads and takes off again. */
  readonly journal: boolean;
  /** Where lines go; stdout when absent. */
  readonly destination?: DestinationStream;
}

/** sd-daemon(3): `<N>` before a line sets its priority. */
const priorities: Readonly<Record<string, string>> = { debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' };

/**
 * A field whose name contains one of these never shows its value. Nobody passes secrets to a logger; this is the second line of defence
 * for the day that somebody does.
 */
const secretWords = ['password', 'secret', 'token', 'authorization', 'credential', 'cookie', 'passphrase', 'privatekey'];

/** JSON lines through pino: `level`, `time`, `daemon`, `event`, then the fields. */
export function createLogger(options: LoggerOptions): ProcessLogger {
  const destination = options.destination ?? pino.destination({ dest: 1, sync: true });
  const lines = pino(
    {
      level: options.level,
      base: { daemon: options.daemon },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.journal ? prioritised(destination) : destination,
  );
  const announcements = lines.child({}, { level: 'info' });
  return {
    announce: (event, fields) => announcements.info(redacted(fields), event),
    debug: (event, fields) => lines.debug(redacted(fields), event),
    info: (event, fields) => lines.info(redacted(fields), event),
    warn: (event, fields) => lines.warn(redacted(fields), event),
    error: (event, fields) => lines.error(redacted(fields), event),
    setLevel: (level) => {
      if (!options.pinned) lines.level = level;
    },
  };
}

/** Whether a field or key of this name may hold a secret. */
function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[^a-z]/g, '');
  return secretWords.some((word) => plain.includes(word));
}

function redacted(fields: LogFields | undefined): LogFields {
  if (!fields) return {};
  const names = Object.keys(fields);
  if (!names.some(isSecretName)) return fields;
  return Object.fromEntries(names.map((name) => [name, isSecretName(name) ? '***' : fields[name]]));
}

function prioritised(destination: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      const level = /^\{"level":"([a-z]+)"/.exec(line)?.[1] ?? 'info';
      destination.write(`${priorities[level] ?? '<6>'}${line}`);
    },
  };
}
