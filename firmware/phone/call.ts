import type { CallRecord } from '#firmware/contract/journal.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { CallState } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { NegotiatedAudio } from '#firmware/sdp/offer-answer.ts';
import { acceptedElsewhereReason } from '#firmware/sip/reason.ts';
import type { Body, SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { CallDigits } from './call-digits.ts';
import { CallLeg, type LegPorts } from './call-leg.ts';
import type { CallEnding, CallPlan, RemoteParty } from './call-plan.ts';
import type { CallPorts } from './call-ports.ts';
import { securityOfIncoming, securityOfOutgoing } from './call-security.ts';
import { type CallAction, type CallInput, type CallTableState, type CallTimer, callTable } from './call-table.ts';
import { CallTimes } from './call-times.ts';
import { freshHabits } from './digit-sender.ts';
import { Machine } from './machine.ts';
import { Negotiation, type NegotiationRecord } from './negotiation.ts';
import { Redirection } from './redirection.ts';
import { partyOf } from './remote-party.ts';

/** How long media may take to come back before a call without a port is given up. */
const portPatienceMs = 4_000;
/** Beyond the user agent's own 64·T1 for a BYE or a CANCEL that nobody answers. */
const lingerMs = 40_000;

/** One conversation: its state, its sound and its digits. */
export class Call {
  readonly plan: CallPlan;
  readonly times: CallTimes;
  readonly leg: CallLeg;
  readonly #ports: CallPorts;
  readonly #machine: Machine<CallTableState, CallInput, CallAction, CallTimer>;
  readonly #negotiation: Negotiation;
  readonly #digits: CallDigits;
  readonly #redirection: Redirection | undefined;
  #session: SessionId | undefined;
  #remote: RemoteParty;
  #onHold = false;
  /** The Reason that the far end is told. */
  #farewell: string | undefined;

  /** `record`: an accepted call of a process that died, which goes on with `resume`. */
  constructor(now: Milliseconds, plan: CallPlan, ports: CallPorts, record?: CallRecord) {
    const { userAgent, media, alarms } = ports;
    const { way } = plan;
    const offers = record?.offers as NegotiationRecord | undefined;
    this.plan = plan;
    this.times = new CallTimes(now, record);
    this.#ports = ports;
    const legPorts = record && { rtpPort: record.rtpPort, rtcpPort: record.rtcpPort, ice: offers?.told?.ice ?? null };
    this.leg = new CallLeg(media, ports.sound, plan, legPorts);
    this.#onHold = record?.onHold ?? false;
    this.#session = record?.session.session ?? (way.direction === 'incoming' ? way.session : undefined);
    this.#redirection = way.direction === 'outgoing' ? new Redirection(way.target) : undefined;
    this.#remote = plan.remote;
    this.#machine = new Machine<CallTableState, CallInput, CallAction, CallTimer>(
      callTable,
      record ? 'active' : way.direction === 'outgoing' ? 'opening' : 'offered',
      alarms,
      {
        delayOf: (timer) => (timer === 'port' ? portPatienceMs : timer === 'linger' ? lingerMs : plan.ringMs),
        actions: this.#actions(),
      },
    );
    const carrier = {
      sendInfo: (at: Milliseconds, body: Body) => this.#inSession((session) => userAgent.info(at, session, body)),
      sendEvent: (digit: Digit, durationMs: number) => media.sendDigit(plan.id, digit, durationMs, 'event'),
      playDigit: (digit: Digit, durationMs: number) => media.sendDigit(plan.id, digit, durationMs, 'sound'),
      takesEvents: () => (this.#negotiation.agreed?.telephoneEvents.length ?? 0) > 0,
    };
    const peer = plan.remote.uri;
    this.#digits = new CallDigits(
      carrier,
      ports.calls,
      ports.digitMemory.of(peer) ?? freshHabits(ports.calls.infoFormat),
      (habits) => ports.digitMemory.learn(peer, habits),
      (digit, way) => ports.report({ kind: 'digit', call: plan.id, digit, way }),
    );
    const security = way.direction === 'incoming' ? securityOfIncoming : securityOfOutgoing;
    const negotiating = {
      security: security(plan.line, ports.sound, ports.entropy),
      codecs: () => media.codecsThere(plan.line?.codecs ?? ports.sound.codecs),
      sendOffer: (at: Milliseconds, body: Body) => this.#session !== undefined && userAgent.reoffer(at, this.#session, body),
      agreed: (audio: NegotiatedAudio) => this.#agreed(audio),
    };
    this.#negotiation = new Negotiation(negotiating, ports.sound, ports.entropy, alarms, offers);
  }

  /** Asks media for a port; everything else follows. */
  start(now: Milliseconds): void {
    this.#machine.restart(now, 'port');
    this.leg.open();
  }

  /** Goes on with a call of a process that died: media may have kept its sound. */
  resume(now: Milliseconds): void {
    const { ports } = this.leg;
    if (!ports) return;
    this.leg.adopt(ports);
    if (this.#negotiation.agreed) this.#agreed(this.#negotiation.agreed);
    this.#negotiation.wish(now, this.leg.wish(ports, this.#onHold));
  }

  /** For a successor of this process; `undefined` unless both sides have said yes and agreed on sound. */
  record(): CallRecord | undefined {
    const { id, owner, line, dialString } = this.plan;
    const { ports, localAddress } = this.leg;
    const { createdAt, acceptedAt } = this.times;
    const session = this.talking && this.#session !== undefined ? this.#ports.userAgent.record(this.#session) : undefined;
    if (!session || !ports || acceptedAt === undefined || !this.#negotiation.agreed) return undefined;
    return {
      call: id,
      owner,
      line: line?.name ?? null,
      direction: this.direction,
      remote: this.remote,
      dialString,
      localAddress,
      rtpPort: ports.rtpPort,
      rtcpPort: ports.rtcpPort,
      createdAt,
      acceptedAt,
      onHold: this.#onHold,
      offers: { ...this.#negotiation.record() },
      session,
    };
  }

  get state(): CallTableState {
    return this.#machine.state;
  }

  get direction(): 'outgoing' | 'incoming' {
    return this.plan.way.direction;
  }

  get session(): SessionId | undefined {
    return this.#session;
  }

  get remote(): RemoteParty {
    return this.#remote;
  }

  get onHold(): boolean {
    return this.#onHold;
  }

  get heldByRemote(): boolean {
    return this.#negotiation.agreed?.heldByRemote ?? false;
  }

  /** The suite that protects sound, `DTLS` while the media ports see to it, or `null`. */
  get encryption(): string | null {
    return this.leg.encryptionOf(this.#negotiation.agreed);
  }

  /** The far end sends its own ringback or announcement. */
  get earlyMedia(): boolean {
    return this.state === 'ringback' && this.#negotiation.agreed !== undefined;
  }

  /** Not over, and not on its way there. */
  get alive(): boolean {
    return !this.times.ended;
  }

  /** Both sides have said yes. */
  get talking(): boolean {
    return this.state === 'active' || this.state === 'accepting';
  }

  /** Somebody called, and nobody accepted. */
  get missed(): boolean {
    return this.direction === 'incoming' && this.times.ending?.cause === 'missed';
  }

  /** Rings here, or is about to. */
  get knocking(): boolean {
    return this.state === 'offered' || this.state === 'ringing';
  }

  get digits(): Pick<CallDigits, 'sent' | 'received' | 'way'> {
    return this.#digits;
  }

  /** The state in the words of the contract; `waiting` is what a ringing call does while the person talks. */
  stateFor(waiting: boolean): CallState {
    const { state } = this;
    if (state === 'opening') return 'dialing';
    if (state === 'offered' || state === 'ringing') return waiting ? 'waiting' : 'ringing';
    return state === 'active' && this.#onHold ? 'held' : state;
  }

  // ── what its owner wants ──

  accept(now: Milliseconds): void {
    this.#machine.input(now, 'accept');
  }

  /** Ends it, whatever its state: CANCEL, BYE, or 603 for one that rings here. `why`: somebody else came to the door. */
  hangUp(now: Milliseconds, why?: 'acceptedElsewhere'): void {
    if (why) this.#farewell = acceptedElsewhereReason;
    if (!this.#machine.input(now, 'decline')) this.#machine.input(now, 'hangUp');
  }

  /** Puts the far end on hold, or takes it back. */
  setHold(now: Milliseconds, onHold: boolean): void {
    const { ports } = this.leg;
    if (!this.talking || onHold === this.#onHold || !ports) return;
    this.#onHold = onHold;
    this.#negotiation.wish(now, this.leg.wish(ports, onHold));
    this.#applyDevice();
  }

  /** This machine is at another address: sound moves there, and the far end is told once media has a port. */
  relocate(localAddress: string): void {
    if (this.talking && localAddress !== this.leg.localAddress) this.leg.moveTo(localAddress);
  }

  /** The device the person listens at, while there is something to hear. */
  connect(device: string | null): void {
    this.leg.listenAt(device);
    this.#applyDevice();
  }

  /** Sends a digit to the far end; false when the call cannot take it. */
  press(now: Milliseconds, digit: Digit): boolean {
    return this.talking && this.#digits.press(now, digit);
  }

  // ── what media says ──

  portReady(now: Milliseconds, { rtpPort, rtcpPort, ice }: LegPorts): void {
    const ports = this.leg.ready({ rtpPort, rtcpPort, ice });
    // Beyond the first time media has been away: the far end has to learn the new port.
    if (!this.#machine.input(now, 'portReady')) this.#negotiation.wish(now, this.leg.wish(ports, this.#onHold));
  }

  portFailed(now: Milliseconds, reason: string): void {
    if (this.alive) this.times.note('noPort', 503, `no sound: ${reason}`);
    this.#machine.input(now, 'portFailed');
  }

  takeMediaDigit(now: Milliseconds, digit: Digit, way: 'event' | 'sound'): void {
    this.#digits.takeFromMedia(now, digit, way);
  }

  /** There is no way through NATs: nobody would hear anything. */
  notConnected(now: Milliseconds, reason: string): void {
    if (this.alive) this.times.note('lost', null, reason);
    this.#machine.input(now, 'hangUp');
  }

  /** The media ports have not agreed on keys: what would be heard could be anybody's. */
  securityFailed(now: Milliseconds, reason: string): void {
    if (this.alive) this.times.note('unusable', null, `sound could not be protected: ${reason}`);
    this.#machine.input(now, 'hangUp');
  }

  /** No sound came although it was due: the far end went away without a BYE. */
  silence(now: Milliseconds, seconds: number): void {
    if (this.state !== 'active' || this.#onHold || this.heldByRemote) return;
    this.times.note('lost', null, `no sound came for ${seconds} s`);
    this.#machine.input(now, 'hangUp');
  }

  // ── what the user agent says ──

  take(now: Milliseconds, event: UserAgentEvent): void {
    if (event.type === 'progress') this.#progress(now, event.statusCode, event.body);
    else if (event.type === 'identified') this.#remote = partyOf(event.remote);
    else if (event.type === 'accepted') {
      if (event.asserted) this.#remote = partyOf(event.asserted);
      if (event.wantsAnswer) this.#offered(now, event.body);
      else this.#answered(now, event.body, event.remote.displayName);
    } else if (event.type === 'confirmed') this.#confirmed(now, event.body);
    else if (event.type === 'failed') this.#failed(now, event);
    else if (event.type === 'reoffered') this.#reoffered(now, event.body);
    else if (event.type === 'reofferAnswered') this.#negotiation.offerAnswered(now, event.statusCode, event.body);
    else if (event.type === 'refreshed') this.#negotiation.refreshed(now, event.body);
    else if (event.type === 'info') this.#digits.takeInfo(now, event.body);
    else if (event.type === 'infoAnswered') this.#digits.infoAnswered(now, event.statusCode);
    else if (event.type === 'cancelled' || event.type === 'ended') {
      this.times.noteEvent(event);
      this.#machine.input(now, event.type);
    }
  }

  #progress(now: Milliseconds, statusCode: number, body: Body | undefined): void {
    if (!this.alive) return;
    if (body) this.#negotiation.applyEarlyAnswer(now, body);
    if (statusCode >= 180) this.#machine.input(now, 'progress');
  }

  #answered(now: Milliseconds, body: Body | undefined, displayName: string | undefined): void {
    if (!this.alive) return;
    if (this.#remote.displayName === '') this.#remote = { ...this.#remote, displayName: displayName ?? '' };
    const problem = body ? this.#negotiation.applyFinalAnswer(now, body) : this.#missingAnswer();
    this.#machine.input(now, this.#usable(problem) ? 'answered' : 'unusable');
  }

  /** Our INVITE had no offer: theirs came in the 200. */
  #offered(now: Milliseconds, body: Body | undefined): void {
    const { ports } = this.leg;
    if (!body || !ports) return;
    const outcome = this.#negotiation.answer(now, body, this.leg.wish(ports, this.#onHold));
    this.#inSession((session) => this.#ports.userAgent.answerReoffer(now, session, outcome.ok ? outcome : { statusCode: 488 }));
    this.#machine.input(now, this.#usable(outcome.ok ? undefined : outcome.reason) ? 'answered' : 'unusable');
  }

  #confirmed(now: Milliseconds, body: Body | undefined): void {
    if (!this.alive) return;
    const problem = body ? this.#negotiation.applyAnswer(now, body) : this.#missingAnswer();
    if (this.state === 'accepting') this.#machine.input(now, this.#usable(problem) ? 'confirmed' : 'unusable');
  }

  #missingAnswer(): string | undefined {
    return this.#negotiation.offerPending ? 'no-answer' : this.#negotiation.agreed ? undefined : 'no-offer';
  }

  #usable(problem: string | undefined): boolean {
    if (problem !== undefined) this.times.note('unusable', 488, `their sound is of no use: ${problem}`);
    return problem === undefined;
  }

  #failed(now: Milliseconds, event: UserAgentEvent & { type: 'failed' }): void {
    const goesOn = this.alive && this.#redirection?.follow(event.statusCode, event.contacts);
    if (goesOn && this.#machine.input(now, 'redirected')) return;
    this.times.noteEvent(event);
    this.#machine.input(now, 'failed');
  }

  #reoffered(now: Milliseconds, body: Body | undefined): void {
    const { userAgent } = this.#ports;
    const { ports } = this.leg;
    if (!ports || !(this.talking || this.earlyMedia))
      this.#inSession((session) => userAgent.answerReoffer(now, session, { statusCode: 488 }));
    else if (!body) {
      const offer = this.#negotiation.offer(this.leg.wish(ports, this.#onHold));
      this.#inSession((session) => userAgent.answerReoffer(now, session, { body: offer }));
    } else {
      const outcome = this.#negotiation.answer(now, body, this.leg.wish(ports, this.#onHold));
      const answer = outcome.ok ? { body: outcome.body } : { statusCode: 488 };
      this.#inSession((session) => userAgent.answerReoffer(now, session, answer));
    }
  }

  // ── what the table does ──

  #actions(): Record<CallAction, (now: Milliseconds) => void> {
    const { userAgent } = this.#ports;
    const end = (now: Milliseconds) => this.#inSession((session) => userAgent.end(now, session, this.#farewell));
    const reject = (now: Milliseconds, statusCode: number) => this.#inSession((session) => userAgent.reject(now, session, statusCode));
    const over =
      (cause: CallEnding['cause'], statusCode: number | null, reason: string, tell?: (now: Milliseconds) => void) =>
      (now: Milliseconds) => {
        this.times.note(cause, statusCode, reason);
        tell?.(now);
        this.#over(now);
      };
    return {
      sendInvite: (now) => this.#sendInvite(now),
      tellProgress: () => this.#changed('progress'),
      begin: (now) => {
        this.times.accept(now);
        this.#changed('accepted');
      },
      ring: (now) => {
        this.#inSession((session) => userAgent.ring(now, session));
        this.#changed('ringing');
      },
      sendAnswer: (now) => this.#sendAnswer(now),
      tellAccepted: () => this.#changed('accepted'),
      cancel: over('cancelled', 487, 'given up', end),
      giveUp: over('noAnswer', 487, 'nobody accepted', end),
      bye: over('hungUp', null, 'hung up', end),
      abort: over('unusable', 488, 'no sound', end),
      refuseWithoutPort: over('noPort', 503, 'media is away', (now) => reject(now, 503)),
      refuseUnanswered: over('missed', 480, 'nobody accepted', (now) => reject(now, 480)),
      refuseDeclined: over('declined', 603, 'declined', (now) => reject(now, 603)),
      concludeWithoutPort: over('noPort', 503, 'media is away'),
      concludeCancelled: over('cancelled', null, 'given up'),
      conclude: over('lost', null, 'the far end is gone'),
    };
  }

  #sendInvite(now: Milliseconds): void {
    const { ports } = this.leg;
    if (!this.#redirection || !ports) return;
    const { userAgent } = this.#ports;
    const { line, way } = this.plan;
    const body = line?.features.lateOffer ? undefined : this.#negotiation.offer(this.leg.wish(ports, this.#onHold));
    const headers = way.direction === 'outgoing' ? way.headers : undefined;
    const { target } = this.#redirection;
    if (line && !this.#ports.hasLine(line.name)) {
      this.times.note('refused', 503, 'the line has been taken away');
      this.#machine.input(now, 'failed');
      return;
    }
    this.#session = userAgent.invite(now, { account: line?.name, target, body, headers });
    this.#ports.bind(this.#session);
  }

  #sendAnswer(now: Milliseconds): void {
    const { way } = this.plan;
    const { ports } = this.leg;
    if (way.direction !== 'incoming' || !ports) return;
    const wish = this.leg.wish(ports, this.#onHold);
    const outcome = way.offer
      ? this.#negotiation.answer(now, way.offer, wish)
      : ({ ok: true, body: this.#negotiation.offer(wish) } as const);
    if (outcome.ok) {
      this.times.accept(now);
      this.#ports.userAgent.accept(now, way.session, outcome.body, way.isAutomatic());
      this.#applyDevice();
    } else {
      this.#usable(outcome.reason);
      this.#machine.input(now, 'unusable');
    }
  }

  #changed(kind: 'ringing' | 'progress' | 'accepted'): void {
    this.#applyDevice();
    this.#ports.report({ kind, call: this.plan.id });
  }

  /** For everyone but SIP it is over now. */
  #over(now: Milliseconds): void {
    if (this.times.ended) return;
    this.times.end(now);
    this.#negotiation.dispose();
    this.leg.close();
    this.#ports.report({ kind: 'ended', call: this.plan.id });
  }

  #agreed(audio: NegotiatedAudio): void {
    this.leg.agreed(audio);
    this.#applyDevice();
  }

  #applyDevice(): void {
    const audible = !this.#onHold && (this.talking || this.earlyMedia);
    this.leg.connect(audible);
  }

  #inSession(use: (session: SessionId) => void): void {
    if (this.#session !== undefined) use(this.#session);
  }
}
