import type { Logger } from '#firmware/core/logger.ts';
import { type Frame, LineFramer } from '#firmware/ipc/framing.ts';

/** A line of a daemon that has this event says that it is ready for others. */
const startedEvent = 'daemon-started';
const maximumLineBytes = 64 * 1024;

/**
 * What a daemon writes, line by line. Log lines pass as they are; anything else (a native library that prints, the trace of a crash)
 * becomes a log line of the supervisor, so that the whole output stays one JSON event a line.
 */
export class DaemonOutput {
  readonly #name: string;
  readonly #logger: Logger;
  readonly #onLine: (line: string) => void;
  readonly #onStarted: () => void;
  readonly #output = new LineFramer(maximumLineBytes);
  readonly #errors = new LineFramer(maximumLineBytes);

  constructor(name: string, logger: Logger, onLine: (line: string) => void, onStarted: () => void) {
    this.#name = name;
    this.#logger = logger;
    this.#onLine = onLine;
    this.#onStarted = onStarted;
  }

  receive(bytes: Uint8Array): void {
    for (const frame of this.#output.receive(bytes)) this.#take(frame);
  }

  /** Daemons log to stdout only: what comes on stderr was written by Node or a library. */
  receiveError(bytes: Uint8Array): void {
    for (const frame of this.#errors.receive(bytes)) this.#foreign(frame);
  }

  #take(frame: Frame): void {
    const event = frame.kind === 'line' ? eventOf(frame.text) : undefined;
    if (frame.kind === 'bad' || event === undefined) {
      this.#foreign(frame);
      return;
    }
    this.#onLine(frame.text);
    if (event === startedEvent) this.#onStarted();
  }

  #foreign(frame: Frame): void {
    const text = frame.kind === 'line' ? frame.text : frame.reason;
    this.#logger.warn('daemon-output', { child: this.#name, text });
  }
}

function eventOf(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const event = typeof value === 'object' && value !== null && 'event' in value ? value.event : undefined;
    return typeof event === 'string' ? event : undefined;
  } catch {
    // Not one of our lines: shown as foreign output.
    return undefined;
  }
}
