import { buildErrorResponse } from '../sip/message/build.ts';
import { type Framed, StreamFramer } from '../sip/message/stream-framer.ts';
import type { Flow } from '../sip/transport/flow.ts';
import { plainReason, type SipStream, type SipStreamParts, streamQueueBytes } from './sip-stream.ts';

/** How long the answer to bytes that are no SIP may take to be read before the stream is cut, ms. */
const farewellMs = 1_000;

const ping = new TextEncoder().encode('\r\n\r\n');
const pong = new TextEncoder().encode('\r\n');

/** A TCP or TLS connection that carries SIP messages: frames them, bounds the time they take, answers and sends CRLF keep-alive. */
export class StreamSocket implements SipStream {
  readonly flow: Flow;
  readonly names = new Set<string>();
  readonly #parts: SipStreamParts;
  readonly #framer: StreamFramer;
  #reason: string | undefined;
  #completion: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #closed = false;
  /** Not every server knows keep-alive: only one that has answered a ping is expected to answer the next. */
  #answersPings = false;
  #pong: NodeJS.Timeout | undefined;
  /** What waits for the stream to open; `undefined` once it is open. */
  #waiting: Uint8Array[] | undefined = [];
  #waitingBytes = 0;
  #patience: NodeJS.Timeout | undefined;

  constructor(parts: SipStreamParts) {
    this.#parts = parts;
    this.flow = parts.flow;
    this.#framer = new StreamFramer(parts.messageLimits);
  }

  start(): void {
    const { socket, opening, openingMs } = this.#parts;
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      this.#reason ??= plainReason(error);
    });
    socket.on('close', () => this.#finish());
    if (!opening) {
      this.#begin();
      return;
    }
    this.#patience = setTimeout(() => this.destroy('no connection in time'), openingMs);
    socket.once(opening, () => {
      const objection = this.#parts.judge?.();
      if (objection === undefined) this.#begin();
      else this.destroy(objection);
    });
  }

  get isOpen(): boolean {
    return !this.#closed && this.#parts.socket.writable;
  }

  write(bytes: Uint8Array): void {
    const { socket } = this.#parts;
    if (!this.isOpen) return;
    if (this.#waiting) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    } else socket.write(bytes);
    if (socket.writableLength + this.#waitingBytes > streamQueueBytes) this.destroy('the far end does not read');
  }

  destroy(reason: string): void {
    if (!this.#closed) this.#reason = reason;
    this.#parts.socket.destroy();
  }

  #begin(): void {
    const { socket, opened, pingMs } = this.#parts;
    clearTimeout(this.#patience);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    socket.on('data', (chunk) => this.#receive(chunk));
    for (const bytes of waiting) socket.write(bytes);
    if (opened) this.#keepAlive = setInterval(() => this.#ping(), pingMs).unref();
  }

  #ping(): void {
    this.write(ping);
    if (this.#answersPings) this.#pong ??= setTimeout(() => this.destroy('no answer to keep-alive'), this.#parts.pongMs).unref();
  }

  #receive(chunk: Buffer): void {
    const all = this.#framer.receive(chunk);
    // Whatever comes shows that the far end is there.
    clearTimeout(this.#pong);
    this.#pong = undefined;
    if (all.length > 0 || !this.#framer.isMidMessage) {
      clearTimeout(this.#completion);
      this.#completion = undefined;
    }
    if (this.#framer.isMidMessage) {
      this.#completion ??= setTimeout(() => this.destroy('a message took too long'), this.#parts.messageMs).unref();
    }
    for (const framed of all) this.#take(framed);
  }

  #take(framed: Framed): void {
    if (framed.type === 'message') this.#parts.onMessage(this.flow, framed.bytes);
    else if (framed.type === 'ping') this.write(pong);
    else if (framed.type === 'pong') this.#answersPings ||= this.#parts.opened;
    else if (framed.type === 'fatal') {
      const { broken, statusCode, reason } = framed.failure;
      if (broken && statusCode !== undefined) this.write(buildErrorResponse(broken, statusCode));
      this.#reason = `not SIP: ${reason}`;
      this.#parts.socket.end();
      setTimeout(() => this.#parts.socket.destroy(), farewellMs).unref();
    }
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#patience);
    clearTimeout(this.#completion);
    clearInterval(this.#keepAlive);
    clearTimeout(this.#pong);
    this.#parts.onClosed(this, this.#reason);
  }
}
