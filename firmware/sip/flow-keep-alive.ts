import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomFraction } from '#firmware/core/entropy.ts';
import type { AgentCore } from './agent-core.ts';
import type { Wake } from './state-machine.ts';
import { type Endpoint, isReliable } from './transport/flow.ts';
import type { Destination } from './transport/sip-core.ts';
import { bindingRequest, type StunMessage } from './transport/stun-message.ts';

/** How the flow to a server is kept open: STUN, or empty lines, which nobody answers where datagrams travel. */
export type KeepAliveForm = 'stun' | 'crlf';

export interface FlowKeepAliveParts {
  readonly core: AgentCore;
  /** The server has answered before and does not any more: the flow is dead. */
  readonly onFailed: (now: Milliseconds) => void;
  /** RFC 5626 §4.4.2: a NAT on the way has given us another address, so that the binding leads nowhere. */
  readonly onMoved: (now: Milliseconds) => void;
}

export interface KeepAliveTerms {
  readonly seconds: number | undefined;
  readonly seen: Endpoint | undefined;
}

/** RFC 5626 §4.4.2: datagrams at least so often. */
const datagramPeriod: Milliseconds = 29_000;
/** RFC 8489 §6.2.1: a request is sent seven times, with doubled pauses, and given up sixteen first pauses after the last. */
const sentAtMost = 7;
const lastPatience = 16;

const emptyLines = new TextEncoder().encode('\r\n\r\n');

/**
 * RFC 5626 §4.4: keeps the flow to one server open and notices when it is dead or has another address. A server that has never answered STUN
 * gets it once each time, as something that keeps NATs open; from one that has answered an answer is expected.
 */
export class FlowKeepAlive {
  readonly #parts: FlowKeepAliveParts;
  readonly #due: Wake = { fire: (now) => this.#ping(now) };
  readonly #retransmit: Wake = { fire: (now) => this.#again(now) };
  #to: Destination | undefined;
  #form: KeepAliveForm = 'stun';
  #longest: Milliseconds = datagramPeriod;
  /** The server knows STUN. */
  #answers = false;
  /** Where the server sees us. */
  #mapped: Endpoint | undefined;
  /** Where we moved last: a server whose STUN and SIP see us at different places is not followed to and fro. */
  #followed: string | undefined;
  #open: { readonly id: string; readonly bytes: Uint8Array; sent: number } | undefined;

  constructor(parts: FlowKeepAliveParts) {
    this.#parts = parts;
  }

  /**
   * From now on, for `to`; what is known of that server stays. `seconds` is how often the server wants it (Flow-Timer), `seen` where it saw the
   * registration come from.
   */
  start(now: Milliseconds, to: Destination, form: KeepAliveForm, { seconds, seen }: KeepAliveTerms): void {
    if (this.#to?.host !== to.host || this.#to.port !== to.port || this.#to.transport !== to.transport) this.stop();
    this.#to = to;
    this.#form = form;
    this.#mapped = seen ?? this.#mapped;
    this.#longest = seconds === undefined ? datagramPeriod : 1_000 * seconds;
    this.#schedule(now);
  }

  stop(): void {
    const { timers } = this.#parts.core;
    timers.clear(this.#due);
    this.#close();
    this.#to = undefined;
    this.#answers = false;
    this.#mapped = undefined;
    this.#followed = undefined;
  }

  describe(): object | undefined {
    return (
      this.#to && { form: this.#form, answered: this.#answers, seenAs: this.#mapped && `${this.#mapped.address}:${this.#mapped.port}` }
    );
  }

  /** RFC 5626 §4.4: between 80 % and 100 % of the time, so that phones that started together drift apart. */
  #schedule(now: Milliseconds): void {
    const { timers, entropy } = this.#parts.core;
    timers.set(this.#due, now + this.#longest * (0.8 + 0.2 * randomFraction(entropy)));
  }

  #ping(now: Milliseconds): void {
    const { core } = this.#parts;
    if (!this.#to) return;
    this.#schedule(now);
    if (isReliable(this.#to.transport) || this.#form === 'crlf') core.sendBytes(this.#to, emptyLines);
    else if (!this.#open) {
      const id = core.entropy.bytes(12);
      const bytes = bindingRequest(id);
      this.#open = { id: core.stun.expect(id, (at, answer) => this.#answered(at, answer)), bytes, sent: 0 };
      this.#again(now);
    }
  }

  #again(now: Milliseconds): void {
    const { core } = this.#parts;
    const { settings, timers } = core;
    if (!this.#open || !this.#to) return;
    const enough = this.#answers ? sentAtMost : 1;
    if (this.#open.sent >= enough) {
      this.#close();
      if (!this.#answers) return;
      this.#answers = false;
      core.note(now, 'keep-alive-unanswered', { server: `${this.#to.host}:${this.#to.port}` });
      this.#parts.onFailed(now);
      return;
    }
    core.sendBytes(this.#to, this.#open.bytes);
    this.#open.sent++;
    const isLast = this.#open.sent >= enough;
    timers.set(this.#retransmit, now + settings.t1 * (isLast ? lastPatience : 2 ** (this.#open.sent - 1)));
  }

  #answered(now: Milliseconds, { mapped }: StunMessage): void {
    const before = this.#mapped;
    const place = mapped && placeOf(mapped);
    this.#close();
    this.#answers = true;
    if (!mapped || place === this.#followed) return;
    this.#mapped = mapped;
    if (!before || placeOf(before) === place) return;
    this.#followed = place;
    this.#parts.onMoved(now);
  }

  #close(): void {
    const { core } = this.#parts;
    core.timers.clear(this.#retransmit);
    if (this.#open) core.stun.forget(this.#open.id);
    this.#open = undefined;
  }
}

function placeOf({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
