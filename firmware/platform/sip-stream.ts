import type { Socket } from 'node:net';
import type { MessageLimits } from '../sip/message/parse.ts';
import type { Flow } from '../sip/transport/flow.ts';

/** What every connection that carries SIP messages is made with. */
export interface SipStreamParts {
  readonly flow: Flow;
  readonly socket: Socket;
  /** True for a stream that we opened: we keep it alive. */
  readonly opened: boolean;
  /** What the socket says when it is open and, for TLS, secured; absent, it is open already. */
  readonly opening?: 'connect' | 'secureConnect' | 'secure' | undefined;
  /** How long that may take, ms. */
  readonly openingMs: number;
  /** Looks at the far end before anything is sent to it or taken from it: what is wrong with it in plain words, or nothing. */
  readonly judge?: (() => string | undefined) | undefined;
  /** How long a message may take from its first byte to its last, ms. */
  readonly messageMs: number;
  readonly messageLimits: MessageLimits;
  /** RFC 5626 §4.4.1: how often the far end is pinged, and how long it may take to answer, ms. */
  readonly pingMs: number;
  readonly pongMs: number;
  readonly onMessage: (flow: Flow, bytes: Uint8Array) => void;
  /** Called exactly once, with the reason in plain words; `undefined` when the far end closed it as it may at any time. */
  readonly onClosed: (stream: SipStream, reason: string | undefined) => void;
}

/** One connection that carries SIP messages, whatever cuts them. */
export interface SipStream {
  readonly flow: Flow;
  /** Destinations by name that were told to use this stream, as `host:port`. */
  readonly names: Set<string>;
  start(): void;
  readonly isOpen: boolean;
  /** Sends, unless the stream is closed: then `onClosed` has told so or will. */
  write(bytes: Uint8Array): void;
  destroy(reason: string): void;
}

/** Bytes that may wait for a slow reader before it is dropped. */
export const streamQueueBytes = 1 << 20;

/** What OpenSSL says in the middle of file names and numbers, or the message of any other error. */
export function plainReason(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? `TLS: ${error.reason}` : error.message;
}
