import { InvariantError } from '#firmware/core/errors.ts';
import { defaultMessageLimits, type MessageLimits, type ParseFailure } from './parse.ts';

/** What a stream brought. */
export type Framed =
  /** The octets of one message, for `parseMessage`. */
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** RFC 5626 §4.4.1: a double CRLF, to be answered by one CRLF. */
  | { readonly type: 'ping' }
  /** A single CRLF between messages: the answer to a ping. */
  | { readonly type: 'pong' }
  /** The stream can no longer be cut into messages: answer if `failure` says how, then close. Nothing comes after this. */
  | { readonly type: 'fatal'; readonly failure: ParseFailure };

/** RFC 3261 §18.3: cuts a byte stream into messages by Content-Length. */
export class StreamFramer {
  readonly #limits: MessageLimits;

  constructor(limits: MessageLimits = defaultMessageLimits) {
    this.#limits = limits;
  }

  /** Takes a chunk of any size; gives what is complete with it, in order. The chunk may be reused afterwards. */
  receive(chunk: Uint8Array): readonly Framed[] {
    throw new InvariantError(`not built: ${chunk.length} ${this.#limits}`);
  }

  /** True while part of a message waits for the rest: the owner bounds that time. */
  get isMidMessage(): boolean {
    throw new InvariantError('not built');
  }
}
