import { InvariantError } from '#firmware/core/errors.ts';
import type { HeaderList } from './headers.ts';
import type { Message } from './message.ts';

/** How large a message may be; beyond it parsing fails with 513. */
export interface MessageLimits {
  /** Octets of the whole message. */
  readonly messageBytes: number;
  /** Octets of start line and headers. */
  readonly headerBytes: number;
  /** Header fields. */
  readonly headerFields: number;
}

export const defaultMessageLimits: MessageLimits = { messageBytes: 65_536, headerBytes: 32_768, headerFields: 1_024 };

/** What can be read of a request that can not be processed, enough to answer it (`buildErrorResponse`). */
export interface BrokenRequest {
  readonly method: string;
  /** What was readable, as text; the first Via is well formed. */
  readonly headers: HeaderList;
}

export type ParseResult = ParsedMessage | ParseFailure;

export interface ParsedMessage {
  readonly ok: true;
  readonly message: Message;
}

export interface ParseFailure {
  readonly ok: false;
  /** A short stable kebab-case phrase for counters and logs: `content-length-invalid`. */
  readonly reason: string;
  /** What to answer, when it is a request that may be answered; then `broken` is there too. */
  readonly statusCode?: number;
  readonly broken?: BrokenRequest;
}

/** One whole message: a datagram, or what the stream framer cut out. Never throws, whatever the bytes. */
export function parseMessage(bytes: Uint8Array, limits: MessageLimits = defaultMessageLimits): ParseResult {
  throw new InvariantError(`not built: ${bytes.length} ${limits}`);
}
