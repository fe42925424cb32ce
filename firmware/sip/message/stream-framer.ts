import { code } from './grammar.ts';
import { parseContentLength } from './header-values.ts';
import { defaultMessageLimits, type MessageLimits, type ParseFailure, refuseFraming, splitMessage } from './parse.ts';

/** What a stream brought. */
export type Framed =
  /** The octets of one message, for `parseMessage`. */
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** RFC 5626 §4.4.1: a double CRLF, to be answered by one CRLF. */
  | { readonly type: 'ping' }
  /**
   * A single CRLF between messages: the answer to a ping. Comes at the end of a chunk, so a ping that is cut in two gives a needless pong
   * before it; a receiver that waits for none ignores it.
   */
  | { readonly type: 'pong' }
  /** The stream can no longer be cut into messages: answer if `failure` says how, then close. Nothing comes after this. */
  | { readonly type: 'fatal'; readonly failure: ParseFailure };

/**
 * RFC 3261 §18.3: cuts a byte stream into messages by Content-Length.
 *
 *   line ends → (any other octet) → header → (empty line) → body → (Content-Length octets) → line ends
 *
 * The header is read by the parser's own `splitMessage`, so framer and parser can not see different lengths. Its end is looked for only in
 * what is new: a message that comes octet by octet costs little more than one that comes whole.
 */
export class StreamFramer {
  readonly #limits: MessageLimits;
  /** What has come and is not yet given out. */
  #buffer: Uint8Array = new Uint8Array(4_096);
  /** Octets of the buffer in use. */
  #length = 0;
  /** Where the search for the end of the header goes on. */
  #searchFrom = 0;
  /** Where the message at hand ends, once its header is complete. */
  #messageEnd: number | undefined = undefined;
  /** Octets of CR LF CR LF seen since the last message or ping. */
  #lineEndOctets = 0;
  #hasFailed = false;

  constructor(limits: MessageLimits = defaultMessageLimits) {
    this.#limits = limits;
  }

  /** Takes a chunk of any size; gives what is complete with it, in order. The chunk may be reused afterwards. */
  receive(chunk: Uint8Array): readonly Framed[] {
    const framed: Framed[] = [];
    if (this.#hasFailed || chunk.length === 0) return framed;
    this.#append(chunk);
    let at = 0;
    for (;;) {
      if (this.#messageEnd === undefined) at = this.#skipLineEnds(at, framed);
      const end = at < this.#length ? this.#endOfMessage(at) : undefined;
      if (typeof end === 'object') {
        this.#hasFailed = true;
        this.#buffer = new Uint8Array(0);
        this.#length = 0;
        framed.push({ type: 'fatal', failure: end });
        return framed;
      }
      if (end === undefined || end > this.#length) break;
      framed.push({ type: 'message', bytes: this.#buffer.slice(at, end) });
      at = end;
      this.#messageEnd = undefined;
    }
    this.#discard(at);
    return framed;
  }

  /** True while part of a message waits for the rest: the owner bounds that time. */
  get isMidMessage(): boolean {
    return this.#length > 0;
  }

  /** The position of the next message; keep-alives on the way are told. */
  #skipLineEnds(start: number, framed: Framed[]): number {
    let at = start;
    for (; at < this.#length; at++) {
      const octet = this.#buffer[at];
      if (octet !== code.carriageReturn && octet !== code.lineFeed) break;
      const expected = this.#lineEndOctets % 2 === 0 ? code.carriageReturn : code.lineFeed;
      this.#lineEndOctets = octet === expected ? this.#lineEndOctets + 1 : 0;
      if (this.#lineEndOctets < 4) continue;
      this.#lineEndOctets = 0;
      framed.push({ type: 'ping' });
    }
    if (this.#lineEndOctets === 2 && at > start) framed.push({ type: 'pong' });
    if (at < this.#length) this.#lineEndOctets = 0;
    return at;
  }

  /** Where the message that begins at `start` ends; `undefined` until its header is complete; a failure if that can not be told. */
  #endOfMessage(start: number): number | ParseFailure | undefined {
    if (this.#messageEnd !== undefined) return this.#messageEnd;
    const headerEnd = this.#endOfHeader(start);
    if (headerEnd === undefined && this.#length - start <= this.#limits.headerBytes) return undefined;
    const split = splitMessage(this.#buffer.subarray(start, headerEnd ?? this.#length), {
      ...this.#limits,
      messageBytes: Number.MAX_SAFE_INTEGER,
    });
    if (!split) return undefined;
    if (headerEnd === undefined || headerEnd - start > this.#limits.headerBytes) return refuseFraming(split, 'header-too-large', 513);
    const lengths = split.headers.all('content-length');
    const length = lengths[0]?.as(parseContentLength);
    if (lengths.length === 0) return refuseFraming(split, 'content-length-missing', 400);
    if (lengths.length > 1 || length === undefined) return refuseFraming(split, 'content-length-invalid', 400);
    if (headerEnd - start + length > this.#limits.messageBytes) return refuseFraming(split, 'message-too-large', 513);
    this.#messageEnd = headerEnd + length;
    return this.#messageEnd;
  }

  /** The position after the empty line. A line end is CRLF as everywhere; a lone LF ends no header. */
  #endOfHeader(start: number): number | undefined {
    const buffer = this.#buffer;
    for (let at = Math.max(start, this.#searchFrom); at + 3 < this.#length; at++) {
      if (buffer[at + 3] !== code.lineFeed || buffer[at + 1] !== code.lineFeed) continue;
      if (buffer[at] === code.carriageReturn && buffer[at + 2] === code.carriageReturn) return at + 4;
    }
    this.#searchFrom = Math.max(start, this.#length - 3);
    return undefined;
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Moves what is left to the front. */
  #discard(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.#length);
    this.#length -= count;
    this.#searchFrom = Math.max(0, this.#searchFrom - count);
    if (this.#messageEnd !== undefined) this.#messageEnd -= count;
  }
}
