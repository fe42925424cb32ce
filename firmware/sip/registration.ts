import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AccountKeepAlive } from './account.ts';
import type { AgentCore } from './agent-core.ts';
import { BackOff } from './back-off.ts';
import { allowLine } from './capabilities.ts';
import { ClientRequest } from './client-request.ts';
import { FlowKeepAlive } from './flow-keep-alive.ts';
import type { Identity } from './identity.ts';
import { buildRequest } from './message/build.ts';
import type { Request, Response } from './message/message.ts';
import { NameAddr, parseNameAddrList } from './message/name-addr.ts';
import { parseSipDate } from './message/sip-date.ts';
import { parseUri, type SipUri } from './message/uri.ts';
import {
  type RegistrationAction as Action,
  type RegistrationInput as Input,
  registrationTable,
  type RegistrationPhase as State,
  type RegistrationTimer as Timer,
} from './registration-table.ts';
import { StateMachine, type Wake } from './state-machine.ts';
import { type Endpoint, isReliable } from './transport/flow.ts';
import type { Destination } from './transport/sip-core.ts';
import type { RegistrationEvent } from './user-agent-events.ts';

/** Seconds a registrar may ask us to wait, and the longest life of a binding that we ask for. */
const retryAfterAtMost = 3_600;
const expiresAtMost = 86_400;
/** The address a registrar sees us under may change that often before we stop following it until the next refresh. */
const movesAtMost = 3;
/** A registrar that closes each connection soon after its answer does not want to keep it: it is not opened again for that. */
const briefConnection: Milliseconds = 30_000;

/** Between a new binding and calls that follow it. */
const readdressPause: Milliseconds = 1_000;
/** RFC 5626 §4.5: while another flow stands there is less hurry. */
const patienceWithOthers = 3;
/** How often a server may want a flow to be kept alive, s. */
const flowTimerLimits = { least: 5, most: 3_600 };

export interface RegistrationParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly registrar: SipUri;
  /** How long it is asked to live, s. */
  readonly expires: number;
  /** RFC 5626 §4.2: which of the flows of the account it is, from 1 on. */
  readonly flow: number;
  readonly keepAlive: AccountKeepAlive;
  readonly report: (event: RegistrationEvent) => void;
  /** Another flow of the account stands. */
  readonly hasOthers: () => boolean;
}

/** What a REGISTER brought. */
type Outcome = Pick<RegistrationEvent, 'statusCode' | 'reasonPhrase' | 'obstacle' | 'elapsedMs' | 'wallTime'>;

/** Keeps one account registered by one flow. */
export class Registration {
  readonly #parts: RegistrationParts;
  readonly #core: AgentCore;
  readonly #identity: Identity;
  readonly #registrar: SipUri;
  readonly #keepAlive: FlowKeepAlive;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #backOff: BackOff;
  readonly #callId: string;
  readonly #fromTag: string;
  #sequence = 0;
  /** Seconds we ask for: as configured, or more when the registrar insists. */
  #expires: number;
  /** Seconds the registrar has granted. */
  #granted = 0;
  /** Of the binding that the registrar holds, as far as we know. */
  #bound: NameAddr | undefined;
  /** The server that holds it. */
  #boundAt: Destination | undefined;
  #sentAt: Milliseconds = 0;
  #succeededAt: Milliseconds = 0;
  #moves = 0;
  /** The binding is at another address: calls follow, a moment later, so that an offer of theirs may do it. */
  readonly #readdress: Wake = {
    fire: (now) => {
      for (const call of this.#core.calls.values()) call.readdressed?.(now, this.#identity);
    },
  };
  #pause: Milliseconds = 0;
  #isReplaced = false;
  #request: ClientRequest | undefined;
  /** RFC 5626 §4.2: flows are asked for unless the first server on the way has said that it knows none (439). */
  #asksForFlow: boolean;

  constructor(parts: RegistrationParts) {
    const { core, identity, registrar, expires } = parts;
    this.#parts = parts;
    this.#asksForFlow = core.settings.instanceId !== undefined;
    this.#keepAlive = new FlowKeepAlive({
      core,
      onFailed: (now) => this.#step(now, 'lost'),
      onMoved: (now) => {
        identity.moved();
        this.#step(now, 'lost');
      },
    });
    this.#core = core;
    this.#identity = identity;
    this.#registrar = registrar;
    this.#expires = Math.min(Math.max(1, expires), expiresAtMost);
    this.#backOff = new BackOff(core.entropy);
    this.#callId = randomToken(core.entropy, 22);
    this.#fromTag = randomToken(core.entropy, 10);
    this.#machine = new StateMachine(registrationTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'refresh' ? Math.min(refreshDelay(this.#granted), this.#failbackDelay()) : this.#pause),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** Registers now, whatever the back-off says, unless that is under way. */
  start(now: Milliseconds): void {
    this.#moves = 0;
    this.#step(now, 'start');
  }

  /** The connection to the registrar is gone, and with it perhaps the way to us, or what the registrar knew. */
  connectionLost(now: Milliseconds): void {
    if (now - this.#succeededAt > briefConnection) this.#step(now, 'lost');
  }

  /** Other requests have found that the server that holds the binding does not answer: another one gets it. */
  followLoss(now: Milliseconds): void {
    if (this.#boundAt && this.#core.location.isOut(now, this.#boundAt)) this.#step(now, 'lost');
  }

  /** The registrar says that it has let our binding go. */
  removed(now: Milliseconds): void {
    this.#step(now, 'lost');
  }

  /** Addresses of this machine have come or gone: what is under way may never arrive, and the binding may lead nowhere. */
  networkChanged(now: Milliseconds): void {
    this.#backOff.reset();
    this.#moves = 0;
    this.#step(now, 'readdressed');
  }

  /** Takes the binding away; `isOver` says when that is done. */
  stop(now: Milliseconds): void {
    this.#step(now, 'stop');
  }

  /** Another registration speaks for the account from now on. */
  replaced(now: Milliseconds): void {
    this.#isReplaced = true;
    this.stop(now);
  }

  /** Requests to us find their way by this flow. */
  get stands(): boolean {
    return this.#machine.state === 'registered';
  }

  get isOver(): boolean {
    return this.#machine.state === 'terminated';
  }

  describe(): object {
    const { state } = this.#machine;
    const contact = this.#bound?.uri.toString();
    const keepAlive = this.#keepAlive.describe();
    return { state, registrar: this.#registrar.toString(), contact, grantedSeconds: this.#granted, keepAlive };
  }

  static readonly #actions: Readonly<Record<Action, (self: Registration, now: Milliseconds, outcome: Outcome) => void>> = {
    sendRegister: (self, now) => self.#send(now, self.#expires),
    sendRemoval: (self, now) => (self.#bound ? self.#send(now, 0) : self.#step(now, 'succeeded')),
    reportRegistering: (self) => self.#report('registering'),
    reportRegistered: (self, _now, outcome) => self.#report('registered', { ...outcome, expiresInMs: 1_000 * self.#granted }),
    reportFailed: (self, _now, outcome) => self.#report('failed', { ...outcome, retryInMs: self.#pause }),
    reportRejected: (self, _now, outcome) => self.#report('rejected', { ...outcome, retryInMs: self.#pause }),
    reportRemoved: (self, _now, outcome) => self.#report('unregistered', outcome),
  };

  #step(now: Milliseconds, input: Input, outcome: Outcome = {}): void {
    for (const action of this.#machine.step(now, input)) Registration.#actions[action](this, now, outcome);
    if (['waiting', 'rejected', 'removing', 'terminated'].includes(this.#machine.state)) this.#keepAlive.stop();
  }

  #report(state: RegistrationEvent['state'], more: Partial<RegistrationEvent> = {}): void {
    const account = this.#identity.account?.id ?? '';
    if (!this.#isReplaced) this.#parts.report({ type: 'registration', account, state, ...more });
  }

  #send(now: Milliseconds, expires: number): void {
    const destination = this.#identity.server;
    if (!destination) {
      this.#fail(now, { statusCode: 503, reasonPhrase: 'No Registrar', obstacle: this.#noServer() });
      return;
    }
    let contact = this.#identity.binding(destination);
    this.#sentAt = now;
    this.#request?.withdraw(now);
    this.#request = new ClientRequest(now, {
      core: this.#core,
      identity: this.#identity,
      destination,
      inDialog: false,
      build: () => {
        contact = this.#identity.binding(destination);
        return this.#register(contact, expires);
      },
      onResponse: (at, response) => this.#responded(at, response, contact),
      onFailure: (at, cause, obstacle) => {
        const reasonPhrase = cause === 'timeout' ? 'Request Timeout' : 'Service Unavailable';
        const seen = obstacle === undefined ? {} : { obstacle };
        this.#fail(at, { statusCode: cause === 'timeout' ? 408 : 503, reasonPhrase, ...seen, elapsedMs: at - this.#sentAt });
      },
    });
  }

  #noServer(): string {
    const isSips = this.#identity.account?.aor.scheme === 'sips';
    return isSips
      ? 'a sips: address needs TLS all the way, also to the server of the line'
      : 'its address names a transport that is not there';
  }

  /**
   * RFC 3261 §10.2. A binding under an address that is ours no more goes away with the same request. Proxies on the way may ask to be on the
   * way back too (RFC 3327 §5.1).
   */
  #register(contact: NameAddr, expires: number): Request {
    const { account } = this.#identity;
    const aor = new NameAddr(account?.aor ?? this.#registrar, account?.displayName);
    const stale = this.#bound && this.#bound.toString() !== contact.toString() ? [['Contact', `${this.#bound};expires=0`] as const] : [];
    this.#sequence++;
    return buildRequest({
      method: 'REGISTER',
      requestUri: this.#registrar.with({ user: undefined, password: undefined, headers: [] }),
      from: aor.withParam('tag', this.#fromTag),
      to: aor,
      callId: this.#callId,
      sequence: this.#sequence,
      routes: this.#identity.proxyRoute,
      contact: this.#withInstance(contact),
      headers: [...stale, ['Expires', String(expires)], allowLine, ['Supported', this.#supported(account?.gruu)]],
    });
  }

  #responded(now: Milliseconds, response: Response, contact: NameAddr): void {
    const { statusCode, reasonPhrase } = response;
    const outcome: Outcome = { statusCode, reasonPhrase, elapsedMs: now - this.#sentAt };
    if (response.isProvisional) return;
    const wallTime = parseSipDate(response.header('Date') ?? '');
    if (response.isSuccess) this.#succeed(now, response, contact, wallTime === undefined ? outcome : { ...outcome, wallTime });
    else if (statusCode === 423 && this.#lengthen(response)) this.#step(now, 'amended', outcome);
    else if (statusCode === 439 && this.#asksForFlow) {
      this.#asksForFlow = false;
      this.#step(now, 'amended', outcome);
    } else if (refusals.has(statusCode)) this.#refuse(now, response, outcome);
    else this.#fail(now, outcome, response.retryAfter);
  }

  #succeed(now: Milliseconds, response: Response, contact: NameAddr, outcome: Outcome): void {
    this.#backOff.reset();
    this.#succeededAt = now;
    if (this.#bound && this.#bound.toString() !== contact.toString()) this.#core.timers.set(this.#readdress, now + readdressPause);
    this.#bound = contact;
    this.#boundAt = this.#identity.place;
    this.#identity.learnServiceRoute(response.headers.listOf('service-route', parseNameAddrList));
    const given = this.#ourContact(response)?.params;
    this.#identity.learnGruus(parseUri(given?.get('pub-gruu') ?? ''), parseUri(given?.get('temp-gruu') ?? ''));
    this.#granted = this.#grantedBy(response);
    this.#identity.learnOutbound(this.#asksForFlow && response.require.includes('outbound'));
    const moved = this.#seenElsewhere(response) && this.#moves < movesAtMost;
    this.#moves = moved ? this.#moves + 1 : 0;
    this.#step(now, moved ? 'moved' : 'succeeded', outcome);
    if (this.stands) this.#keepOpen(now, response);
  }

  /** RFC 5626 §4.4: datagrams need it behind NATs, a connection only when the server wants it more often than its driver does. */
  #keepOpen(now: Milliseconds, response: Response): void {
    const { keepAlive } = this.#parts;
    const { place, isBehindNat } = this.#identity;
    const wished = Number(response.header('Flow-Timer') ?? Number.NaN);
    const seconds = wished >= flowTimerLimits.least && wished <= flowTimerLimits.most ? wished : undefined;
    const isOpen = place && (isReliable(place.transport) || (keepAlive === 'auto' && !isBehindNat));
    if (!place || keepAlive === 'off' || (isOpen && seconds === undefined)) this.#keepAlive.stop();
    else this.#keepAlive.start(now, place, keepAlive === 'crlf' ? 'crlf' : 'stun', { seconds, seen: seenIn(response) });
  }

  #supported(gruu: boolean | undefined): string {
    return ['path', ...(this.#asksForFlow ? ['outbound'] : []), ...(gruu ? ['gruu'] : [])].join(', ');
  }

  /** A better server than the one in use gets another chance when its time out is over. */
  #failbackDelay(): Milliseconds {
    const { server, place } = this.#identity;
    const now = this.#core.lastInput;
    const at = server && place && this.#core.servers.failbackAt(now, server, place);
    return at === undefined ? Number.POSITIVE_INFINITY : Math.max(leastFailback, at - now);
  }

  #fail(now: Milliseconds, outcome: Outcome, retryAfterSeconds = 0): void {
    const { retryBase, retryMaximum } = this.#core.settings;
    this.#identity.learnServiceRoute([]);
    this.#identity.learnGruus(undefined, undefined);
    this.#identity.learnOutbound(false);
    const base = this.#parts.hasOthers() ? patienceWithOthers * retryBase : retryBase;
    this.#pause = Math.max(this.#backOff.next(base, retryMaximum), 1_000 * Math.min(retryAfterSeconds, retryAfterAtMost));
    this.#step(now, 'failed', outcome);
  }

  #refuse(now: Milliseconds, response: Response, outcome: Outcome): void {
    const { rejectedRetryBase, rejectedRetryMaximum } = this.#core.settings;
    this.#pause = this.#backOff.next(rejectedRetryBase, rejectedRetryMaximum);
    this.#core.note(now, 'registration-rejected', { aor: this.#registrar.host, status: String(response.statusCode) });
    this.#step(now, 'refused', outcome);
  }

  /** RFC 3261 §10.2.8; false when the registrar asks for nothing that helps. */
  #lengthen({ minExpires }: Response): boolean {
    if (minExpires === undefined || minExpires <= this.#expires || minExpires > expiresAtMost) return false;
    this.#expires = minExpires;
    return true;
  }

  /** RFC 5626 §4.2: by its instance a registrar knows the device again whatever its Contact says. */
  #withInstance(contact: NameAddr): NameAddr {
    const { instanceId } = this.#core.settings;
    if (instanceId === undefined) return contact;
    const named = contact.withParam('+sip.instance', `<urn:uuid:${instanceId}>`);
    return this.#asksForFlow ? named.withParam('reg-id', String(this.#parts.flow)) : named;
  }

  #ourContact({ contacts }: Response): NameAddr | undefined {
    const { contactUser } = this.#identity;
    return contacts === '*' ? undefined : contacts.find(({ uri }) => uri.kind === 'sip' && uri.user === contactUser);
  }

  /** RFC 3261 §10.2.4: the `expires` of our Contact, else the Expires header, else what we asked for. */
  #grantedBy(response: Response): number {
    const seconds = Number(this.#ourContact(response)?.params.get('expires') ?? response.expires ?? this.#expires);
    return seconds >= 1 ? Math.min(seconds, expiresAtMost) : this.#expires;
  }

  #seenElsewhere(response: Response): boolean {
    const seen = seenIn(response);
    return seen !== undefined && this.#identity.seenAs(seen);
  }
}

/** RFC 3581: where the server saw the request come from, if it says so. */
function seenIn({ topVia: { received, rport } }: Response): Endpoint | undefined {
  const isKnown = received !== undefined && /^[0-9a-fA-F.:]+$/.test(received) && typeof rport === 'number';
  return isKnown ? { address: received, port: rport } : undefined;
}

/** A server that comes back within it is not taken for a better one yet. */
const leastFailback: Milliseconds = 1_000;

/** What trying again soon does not mend: credentials, rights, an unknown user. */
const refusals: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 410, 416, 484, 604]);

/** Early enough for a REGISTER that gets no answer to be tried again (RFC 3261 §10.2.4), but not in the first half of a short life. */
function refreshDelay(granted: number): Milliseconds {
  const margin = Math.min(Math.max(0.1 * granted, 32), 0.5 * granted);
  return 1_000 * (granted - margin);
}
