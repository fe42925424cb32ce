import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { autoAnswerWishOf } from '#firmware/sip/answer-mode.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import type { Call } from './call.ts';
import type { CallNews, RemoteParty } from './call-plan.ts';
import { muteEar } from './ear.ts';
import type { Handset } from './handset.ts';
import type { Alarm, Alarms } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import type { Outbox } from './outbox.ts';
import type { LineSettings } from './phone-settings.ts';

export interface AutoAnswerPorts {
  readonly handset: Handset;
  readonly media: MediaDesk;
  readonly alarms: Alarms;
  readonly outbox: Outbox;
}

/** What becomes of a call that asks to be accepted at once. */
export type AutoAnswerVerdict =
  | { readonly kind: 'ring' }
  /** It may only be accepted by itself, and that may not be. */
  | { readonly kind: 'refuse' }
  | { readonly kind: 'accept'; readonly afterMs: Milliseconds };

/** Calls that are accepted without a hand (RFC 5373): only from whom the person has allowed it, and by default from nobody. */
export class AutoAnswer {
  readonly #ports: AutoAnswerPorts;
  readonly #expected = new Map<Call, Alarm | Milliseconds>();
  /** Of these the caller is told that nobody did it. */
  readonly #accepted = new WeakSet<Call>();
  /** Its microphone was switched off for it. */
  #muted: Call | undefined;

  constructor(ports: AutoAnswerPorts) {
    this.#ports = ports;
  }

  judge(request: Request, remote: RemoteParty, line: LineSettings | undefined): AutoAnswerVerdict {
    const wish = autoAnswerWishOf(request);
    if (!wish) return { kind: 'ring' };
    const allowed = line && isAmong(remote, line.features.autoAnswerFrom) && this.#suits(line.features.autoAnswer);
    if (allowed) return { kind: 'accept', afterMs: 1_000 * wish.afterSeconds };
    return { kind: wish.required ? 'refuse' : 'ring' };
  }

  /** The call is to be accepted so long after it begins to ring. */
  expect(call: Call, afterMs: Milliseconds): void {
    this.#expected.set(call, afterMs);
  }

  /** No person has accepted it. */
  hasAccepted(call: Call): boolean {
    return this.#accepted.has(call);
  }

  takeCall(now: Milliseconds, call: Call, news: CallNews): void {
    if (news.kind === 'ended' && this.#muted === call) {
      this.#muted = undefined;
      muteEar(this.#ports.media, this.#ports.handset.ear, false);
    }
    const expected = this.#expected.get(call);
    if (expected === undefined) return;
    const { alarms } = this.#ports;
    if (news.kind === 'ringing' && typeof expected === 'number') {
      const alarm: Alarm = { fire: (at) => this.#accept(at, call) };
      this.#expected.set(call, alarm);
      if (expected === 0) this.#accept(now, call);
      else alarms.set(alarm, now + expected);
    } else if (news.kind === 'accepted' || news.kind === 'ended') {
      if (typeof expected === 'object') alarms.clear(expected);
      this.#expected.delete(call);
    }
  }

  #accept(now: Milliseconds, call: Call): void {
    const { handset, media, outbox } = this.#ports;
    const { line, id } = call.plan;
    if (call.state !== 'ringing' || !line || !this.#suits(line.features.autoAnswer, call)) return;
    const muted = line.features.autoAnswerMuted;
    // What the person says to somebody else must not be heard by the caller.
    if (muted && !media.isMuted(handset.ear.role)) {
      muteEar(media, handset.ear, true);
      this.#muted = call;
    }
    this.#accepted.add(call);
    try {
      handset.accept(now, id);
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.#accepted.delete(call);
    }
    outbox.fact('call.autoAnswered', { call: id, muted });
  }

  #suits(policy: LineSettings['features']['autoAnswer'], call?: Call): boolean {
    const { handset } = this.#ports;
    const others = handset.calls.filter((one) => one !== call);
    switch (policy) {
      case 'off':
        return false;
      case 'idle':
        return handset.state === 'idle' && others.length === 0;
      case 'notBusy':
        return (handset.state === 'idle' || handset.focus?.onHold === true) && !others.some((one) => one.knocking);
      case 'always':
        return handset.state === 'idle' || handset.focus?.talking === true;
      default:
        return policy satisfies never;
    }
  }
}

/** Whether somebody is meant by one of the numbers or addresses; by all of them when there are none. */
function isAmong({ uri }: RemoteParty, named: readonly string[]): boolean {
  if (named.length === 0) return true;
  const parsed = parseUri(uri);
  if (parsed?.kind !== 'sip') return named.includes(uri);
  const { user = '', host } = parsed;
  return named.some((one) => [user, `${user}@${host}`, `sip:${user}@${host}`].includes(one));
}
