import type { OwnIce } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { randomFraction, randomUint32 } from '#firmware/core/entropy.ts';
import type { StateTable } from '#firmware/core/state-table.ts';
import type { LocalSecurity } from '#firmware/sdp/media-security.ts';
import {
  type LocalAudio,
  type NegotiatedAudio,
  OfferAnswer,
  type OfferAnswerSnapshot,
  startOfferAnswer,
} from '#firmware/sdp/offer-answer.ts';
import { formatSessionDescription, parseSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';
import { type CodecName, formatsOf } from './codec-choice.ts';
import { type Alarms, Machine } from './machine.ts';
import type { SoundSettings } from './phone-settings.ts';

const sdpType = 'application/sdp';

type State = 'opening' | 'settling' | 'stable' | 'offering' | 'backingOff';
type Input = 'agreed' | 'changed' | 'refused' | 'glare';
type Action = 'sendOffer' | 'withdraw' | 'forget' | 'compare';
type Timer = 'settle' | 'glare';

/**
 * Whose offer is under way within one call (RFC 3261 §14). What is wanted (on hold or not, on which port) may change at any time; it is
 * compared with what was agreed whenever the exchange has come to rest, so a wish made in the middle of another is never lost.
 */
export const negotiationTable: StateTable<State, Input | `timer ${Timer}`, Action, Timer> = {
  opening: { timers: [], on: { agreed: { to: 'settling', do: [] } } },
  /** An offer right behind the ACK of the one before could overtake it on UDP, and would be refused. */
  settling: { timers: ['settle'], on: { 'timer settle': { to: 'stable', do: ['compare'] } } },
  stable: { timers: [], on: { changed: { to: 'offering', do: ['sendOffer'] } } },
  offering: {
    timers: [],
    on: {
      agreed: { to: 'settling', do: [] },
      refused: { to: 'stable', do: ['withdraw'] },
      glare: { to: 'backingOff', do: ['forget'] },
    },
  },
  /** An offer of theirs that we answer meanwhile may tell them what we want, and then nothing is left to send. */
  backingOff: { timers: ['glare'], on: { 'timer glare': { to: 'stable', do: ['compare'] } } },
};

const settleMs = 100;

/** Where our sound is to be sent, and whether the far end is on hold. */
export interface LocalWish {
  readonly address: string;
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly onHold: boolean;
  /** Our side of the search for a way through NATs; `null` = there is none. */
  readonly ice: OwnIce | null;
}

/** Offers and answers of a call as plain JSON, for a successor of this process. */
export interface NegotiationRecord {
  readonly exchange: OfferAnswerSnapshot;
  /** `null`: an offer of ours was under way, and nobody knows what became of it. */
  readonly told: LocalWish | null;
  readonly security?: LocalSecurity | undefined;
}

/** What a negotiation asks of the call it belongs to. */
export interface NegotiationPorts {
  /** What the call wants of protection. */
  readonly security: LocalSecurity | undefined;
  /** What can be spoken now, the best first. */
  codecs(): readonly CodecName[];
  /** Sends a re-INVITE; false when it cannot be sent now. */
  sendOffer(now: Milliseconds, body: Body): boolean;
  /** Something was agreed: media has to follow. */
  agreed(audio: NegotiatedAudio): void;
}

export type BodyOutcome = { readonly ok: true; readonly body: Body } | { readonly ok: false; readonly reason: string };

/** The offers and answers of one call. */
export class Negotiation {
  readonly #ports: NegotiationPorts;
  readonly #security: LocalSecurity | undefined;
  readonly #sound: SoundSettings;
  readonly #entropy: Entropy;
  #exchange: OfferAnswer;
  /** Before the answer of a provisional response: another branch of a forked call may be the one that accepts. */
  #beforeEarly: OfferAnswerSnapshot | undefined;
  readonly #machine: Machine<State, Input, Action, Timer>;
  #wish: LocalWish | undefined;
  /** The wish that the far end knows, or has refused. */
  #told: LocalWish | undefined;

  constructor(ports: NegotiationPorts, sound: SoundSettings, entropy: Entropy, alarms: Alarms, record?: NegotiationRecord) {
    this.#ports = ports;
    this.#security = record ? record.security : ports.security;
    this.#sound = sound;
    this.#entropy = entropy;
    this.#exchange = new OfferAnswer(record?.exchange ?? startOfferAnswer(String(randomUint32(entropy))));
    if (record) this.#exchange.withdrawOffer();
    this.#told = record?.told ?? undefined;
    this.#machine = new Machine<State, Input, Action, Timer>(negotiationTable, record ? 'stable' : 'opening', alarms, {
      delayOf: (timer) => this.#delayOf(timer),
      actions: {
        sendOffer: (now) => this.#sendOffer(now),
        withdraw: () => this.#exchange.withdrawOffer(),
        forget: () => {
          this.#told = undefined;
          this.#exchange.withdrawOffer();
        },
        compare: (now) => {
          if (this.#differs()) this.#machine.input(now, 'changed');
        },
      },
    });
  }

  get agreed(): NegotiatedAudio | undefined {
    return this.#exchange.negotiated;
  }

  /** True while an offer of ours waits for its answer. */
  get offerPending(): boolean {
    return this.#exchange.offerPending;
  }

  dispose(): void {
    this.#machine.dispose();
  }

  /** For a successor, which begins with what was agreed on. */
  record(): NegotiationRecord {
    const { state } = this.#machine;
    const open = state === 'offering' || state === 'backingOff';
    return { exchange: this.#exchange.snapshot(), told: open ? null : (this.#told ?? null), security: this.#security };
  }

  /** Changes what we want; a running call is offered it as soon as that can be. */
  wish(now: Milliseconds, wish: LocalWish): void {
    this.#wish = wish;
    if (this.#differs()) this.#machine.input(now, 'changed');
  }

  /** Our offer for an INVITE, or for the answer to one that had none. */
  offer(wish: LocalWish): Body {
    this.#wish = wish;
    this.#told = wish;
    return toBody(this.#exchange.offer(this.#local(wish)));
  }

  /** Takes the answer of a provisional response; that of another branch, or the final one, may say otherwise. */
  applyEarlyAnswer(now: Milliseconds, body: Body): void {
    const before = this.#beforeEarly ?? this.#exchange.snapshot();
    const heard = this.#exchange;
    this.#exchange = new OfferAnswer(before);
    if (this.#exchange.offerPending && this.applyAnswer(now, body) === undefined) this.#beforeEarly = before;
    else this.#exchange = heard;
  }

  /** Takes the answer of the response that accepted our first offer. */
  applyFinalAnswer(now: Milliseconds, body: Body): string | undefined {
    if (this.#beforeEarly) this.#exchange = new OfferAnswer(this.#beforeEarly);
    this.#beforeEarly = undefined;
    return this.applyAnswer(now, body);
  }

  /** Takes the far end's answer to our offer; the reason says why it is of no use. */
  applyAnswer(now: Milliseconds, body: Body): string | undefined {
    if (!this.#exchange.offerPending) return undefined;
    const answer = readDescription(body);
    if (typeof answer === 'string') return answer;
    const outcome = this.#exchange.applyAnswer(answer);
    if (outcome.outcome === 'unusable') return outcome.reason;
    this.#settle(now, outcome.audio);
    return undefined;
  }

  /** Answers the far end's offer, the first one or a later one. */
  answer(now: Milliseconds, body: Body, wish: LocalWish): BodyOutcome {
    const offer = readDescription(body);
    if (typeof offer === 'string') return { ok: false, reason: offer };
    const outcome = this.#exchange.answer(offer, this.#local(wish));
    if (outcome.outcome === 'unusable') return { ok: false, reason: outcome.reason };
    this.#wish = wish;
    this.#told = wish;
    this.#settle(now, outcome.audio);
    return { ok: true, body: toBody(outcome.answer) };
  }

  /** What became of our re-INVITE. */
  offerAnswered(now: Milliseconds, statusCode: number, body: Body | undefined): void {
    if (statusCode === 491) this.#machine.input(now, 'glare');
    else if (statusCode >= 300 || !body || this.applyAnswer(now, body) !== undefined) this.#machine.input(now, 'refused');
  }

  /** An offer that repeated what they know was answered; the answer may have changed (RFC 4028 §7.4). */
  refreshed(now: Milliseconds, body: Body): void {
    const told = this.#told;
    if (!told || this.#machine.state !== 'stable') return;
    this.#exchange.offer(this.#local(told));
    if (this.applyAnswer(now, body) !== undefined) this.#exchange.withdrawOffer();
  }

  #settle(now: Milliseconds, audio: NegotiatedAudio): void {
    this.#ports.agreed(audio);
    this.#machine.input(now, 'agreed');
  }

  #delayOf(timer: Timer): Milliseconds {
    if (timer === 'settle') return settleMs;
    // RFC 3261 §14.1 has two ranges so that the sides do not meet again: 2.1 to 4 s for who made the Call-ID, up to 2 s for the other.
    // The user agent does not tell which we are; any time between keeps the odds.
    return 500 + 3500 * randomFraction(this.#entropy);
  }

  #sendOffer(now: Milliseconds): void {
    const wish = this.#wish;
    if (!wish) return;
    const body = this.offer(wish);
    if (!this.#ports.sendOffer(now, body)) this.#machine.input(now, 'glare');
  }

  #differs(): boolean {
    return JSON.stringify(this.#wish) !== JSON.stringify(this.#told);
  }

  #local(wish: LocalWish): LocalAudio {
    return {
      ...shownOf(wish),
      ice: wish.ice ?? undefined,
      ...formatsOf(this.#ports.codecs(), this.#sound.opus),
      comfortNoise: this.#sound.comfortNoise,
      ptime: this.#sound.ptime,
      maxPtime: 60,
      direction: wish.onHold ? 'sendonly' : 'sendrecv',
      security: this.#security,
      rtcpMux: this.#security?.offers === 'dtls' || wish.ice !== null,
      extendedReports: this.#sound.extendedReports,
    };
  }
}

/** Why an offer could not be answered, or nothing: asked before a call is let ring. */
export function problemOfOffer(
  body: Body,
  sound: SoundSettings,
  codecs: readonly CodecName[],
  security: LocalSecurity | undefined,
): string | undefined {
  const offer = readDescription(body);
  if (typeof offer === 'string') return offer;
  const local: LocalAudio = {
    address: '127.0.0.1',
    port: 9,
    rtcpPort: 10,
    ...formatsOf(codecs, sound.opus),
    comfortNoise: false,
    ptime: sound.ptime,
    maxPtime: 60,
    direction: 'sendrecv',
    ice: undefined,
    security,
    rtcpMux: false,
  };
  const outcome = new OfferAnswer(startOfferAnswer('1')).answer(offer, local);
  return outcome.outcome === 'unusable' ? outcome.reason : undefined;
}

/** True for a body that is a session description. */
function isDescription(body: Body): boolean {
  return body.contentType.split(';', 1)[0]?.trim().toLowerCase() === sdpType;
}

function readDescription(body: Body): SessionDescription | string {
  if (!isDescription(body)) return 'not-a-session-description';
  const parsed = parseSessionDescription(body.bytes);
  return parsed.outcome === 'parsed' ? parsed.description : parsed.reason;
}

function toBody(description: SessionDescription): Body {
  return { contentType: sdpType, bytes: new TextEncoder().encode(formatSessionDescription(description)) };
}

/** The address of those who know no ICE. */
function shownOf({ ice, address, rtpPort: port, rtcpPort }: LocalWish): Pick<LocalAudio, 'address' | 'port' | 'rtcpPort'> {
  return ice ? { address: ice.address, port: ice.port, rtcpPort: ice.rtcpPort } : { address, port, rtcpPort };
}
