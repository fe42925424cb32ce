import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore } from './agent-core.ts';
import { BackOff } from './back-off.ts';
import { ClientRequest } from './client-request.ts';
import { destinationOf, type Identity, securedFor } from './identity.ts';
import { buildRequest } from './message/build.ts';
import type { Request, Response } from './message/message.ts';
import { NameAddr } from './message/name-addr.ts';
import type { Uri } from './message/uri.ts';
import { typedBody } from './message-body.ts';
import {
  type PublicationAction as Action,
  type PublicationInput as Input,
  publicationTable,
  type PublicationState as State,
  type PublicationTimer as Timer,
} from './publication-table.ts';
import { StateMachine } from './state-machine.ts';
import type { Body } from './user-agent-events.ts';

export interface PublicationStanding {
  /** `waiting`: tried again by itself. */
  readonly state: 'published' | 'waiting' | 'refused';
  /** 408 for a timeout, 503 when the transport failed. */
  readonly statusCode: number;
}

export interface PublicationParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  /** Name of the event package. */
  readonly event: string;
  /** Whose state it is. */
  readonly target: Uri;
  readonly onStanding: (now: Milliseconds, standing: PublicationStanding) => void;
}

const usualSeconds = 3_600;
const leastSeconds = 60;
const expiresAtMost = 86_400;
const retryAfterAtMost = 3_600;
const retryBase: Milliseconds = 30_000;
const retryMaximum: Milliseconds = 1_800_000;
/** A server that forgets each state at once is not told it for ever. */
const forgottenAtMost = 3;
const refusals: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 407, 410, 415, 416, 489, 501, 603, 604]);

/** RFC 3903 §4: keeps a state of ours published under an event package: refreshed, modified, and begun anew when the server has lost it. */
export class Publication {
  readonly #parts: PublicationParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #backOff: BackOff;
  readonly #callId: string;
  readonly #fromTag: string;
  #sequence = 0;
  #body: Body | undefined;
  /** SIP-ETag: how the server knows the state again. */
  #entityTag: string | undefined;
  #expires = usualSeconds;
  #granted = usualSeconds;
  #pause: Milliseconds = 0;
  #forgotten = 0;
  #statusCode = 0;

  constructor(parts: PublicationParts) {
    const { core } = parts;
    this.#parts = parts;
    this.#backOff = new BackOff(core.entropy);
    this.#callId = randomToken(core.entropy, 22);
    this.#fromTag = randomToken(core.entropy, 10);
    this.#machine = new StateMachine(publicationTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'refresh' ? 900 * this.#granted : this.#pause),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** The state as it is from now on. */
  publish(now: Milliseconds, body: Body): void {
    this.#body = body;
    this.#step(now, 'publish');
  }

  /** Takes the state back. */
  stop(now: Milliseconds): void {
    this.#step(now, 'stop');
  }

  /** Does not wait any longer for the next try. */
  revive(now: Milliseconds): void {
    if (this.#machine.state === 'waiting') this.#step(now, 'timer retry');
  }

  get isOver(): boolean {
    return this.#machine.state === 'terminated';
  }

  describe(): object {
    const { event, target } = this.#parts;
    return { state: this.#machine.state, event, target: target.toString(), grantedSeconds: this.#granted, status: this.#statusCode };
  }

  static readonly #actions: Readonly<Record<Action, (self: Publication, now: Milliseconds) => void>> = {
    send: (self, now) => self.#send(now, self.#expires, true),
    // RFC 3903 §4.3: a refresh has no body.
    sendRefresh: (self, now) => self.#send(now, self.#expires, self.#entityTag === undefined),
    sendAnew: (self, now) => {
      self.#entityTag = undefined;
      self.#send(now, self.#expires, true);
    },
    sendRemoval: (self, now) => (self.#entityTag === undefined ? self.#step(now, 'succeeded') : self.#send(now, 0, false)),
    report: (self, now) => self.#report(now),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) Publication.#actions[action](this, now);
  }

  #report(now: Milliseconds): void {
    const { state } = this.#machine;
    const shown = state === 'published' || state === 'refused' ? state : 'waiting';
    this.#parts.onStanding(now, { state: shown, statusCode: this.#statusCode });
  }

  #send(now: Milliseconds, expires: number, withBody: boolean): void {
    const { core, identity, target } = this.#parts;
    const way = identity.outgoing ?? destinationOf(target);
    const destination = way && securedFor(target, way);
    if (!destination) {
      this.#statusCode = 503;
      this.#step(now, 'refusal');
      return;
    }
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: false,
      build: () => this.#request(expires === 0 ? 0 : this.#expires, withBody, identity.from(destination)),
      amends: (response) => response.statusCode === 423 && this.#lengthen(response),
      onResponse: (at, response) => this.#responded(at, response),
      onFailure: (at, cause) => this.#fail(at, cause === 'timeout' ? 408 : 503, 0),
    });
  }

  #request(expires: number, withBody: boolean, from: NameAddr): Request {
    const { identity, target, event } = this.#parts;
    const matching = this.#entityTag === undefined ? [] : [['SIP-If-Match', this.#entityTag] as const];
    this.#sequence++;
    return buildRequest({
      method: 'PUBLISH',
      requestUri: target,
      from: from.withParam('tag', this.#fromTag),
      to: new NameAddr(target),
      callId: this.#callId,
      sequence: this.#sequence,
      routes: identity.routes,
      headers: [['Event', event], ...matching, ['Expires', String(expires)]],
      ...(withBody && this.#body && { body: typedBody(this.#body) }),
    });
  }

  #responded(now: Milliseconds, response: Response): void {
    const { statusCode, retryAfter = 0 } = response;
    if (response.isProvisional) return;
    this.#statusCode = statusCode;
    if (response.isSuccess) {
      this.#backOff.reset();
      this.#forgotten = 0;
      this.#entityTag = response.header('SIP-ETag')?.trim();
      this.#granted = Math.min(Math.max(response.expires ?? this.#expires, leastSeconds), this.#expires);
      this.#step(now, 'succeeded');
    } else if (statusCode === 412 && this.#entityTag !== undefined && this.#forgotten++ < forgottenAtMost) this.#step(now, 'unknown');
    else if (refusals.has(statusCode)) this.#step(now, 'refusal');
    else this.#fail(now, statusCode, retryAfter);
  }

  #fail(now: Milliseconds, statusCode: number, retryAfterSeconds: number): void {
    this.#statusCode = statusCode;
    // After so long a silence the server may know something else than we.
    if (statusCode === 412) this.#entityTag = undefined;
    this.#pause = Math.max(this.#backOff.next(retryBase, retryMaximum), 1_000 * Math.min(retryAfterSeconds, retryAfterAtMost));
    this.#step(now, 'failed');
  }

  /** RFC 3903 §4.6; false when the server asks for nothing that helps. */
  #lengthen({ minExpires }: Response): boolean {
    if (minExpires === undefined || minExpires <= this.#expires || minExpires > expiresAtMost) return false;
    this.#expires = minExpires;
    return true;
  }
}
