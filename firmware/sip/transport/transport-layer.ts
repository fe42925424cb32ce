import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters, LimitedLog } from '#firmware/core/counters.ts';
import type { Message } from '../message/message.ts';
import { type BrokenRequest, defaultMessageLimits, type MessageLimits, parseMessage } from '../message/parse.ts';
import { type Flow, targetOf } from './flow.ts';
import type { Destination } from './sip-core.ts';

/** A request that can't be processed but may be answered, outside any transaction. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly broken: BrokenRequest;
  readonly statusCode: number;
}

/** Answers to requests that could not be read, per second and at once: enough for people who test, useless for amplification. */
const refusalsPerSecond = 10;
const refusalsAtOnce = 50;

const carriageReturn = 13;
const lineFeed = 10;

/** RFC 3261 §18: bytes to messages. What can't be read is refused by the book as far as a bucket of tokens goes, or dropped. */
export class TransportLayer {
  readonly #counters: Counters;
  readonly #log: LimitedLog;
  readonly #limits: MessageLimits;
  #tokens = refusalsAtOnce;
  #tokensAt: Milliseconds = 0;

  constructor(counters: Counters, log: LimitedLog, limits: Partial<MessageLimits> = {}) {
    this.#counters = counters;
    this.#log = log;
    this.#limits = { ...defaultMessageLimits, ...limits };
  }

  /** One datagram or one framed message; `undefined` when there is nothing to do about it. */
  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): Message | Refusal | undefined {
    if (isKeepAlive(bytes)) return undefined;
    const result = parseMessage(bytes, this.#limits);
    if (result.ok) return result.message;
    const { reason, statusCode, broken } = result;
    this.#counters.add(`malformed-${reason}`);
    this.#log.warn(now, 'sip-message-malformed', { reason, peer: `${flow.transport}:${flow.remote.address}:${flow.remote.port}` });
    const answers = broken !== undefined && statusCode !== undefined && this.#mayAnswer(now);
    return answers ? { kind: 'refusal', broken, statusCode } : undefined;
  }

  #mayAnswer(now: Milliseconds): boolean {
    const earned = ((now - this.#tokensAt) * refusalsPerSecond) / 1_000;
    this.#tokens = Math.min(refusalsAtOnce, this.#tokens + earned);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** The way back along a flow. */
export function destinationAlong(flow: Flow): Destination {
  const { transport, address, port } = targetOf(flow);
  return { transport, host: address, port, flow };
}

/** Empty lines and zeros keep the bindings of NATs open. */
function isKeepAlive(bytes: Uint8Array): boolean {
  return bytes.length <= 4 && bytes.every((byte) => byte === carriageReturn || byte === lineFeed || byte === 0);
}
