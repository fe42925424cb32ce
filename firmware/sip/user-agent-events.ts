import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AccountId } from './account.ts';
import type { Request } from './message/message.ts';
import type { NameAddr } from './message/name-addr.ts';
import type { Uri } from './message/uri.ts';
import type { CoreEvent, Transmit } from './transport/sip-core.ts';

/** Names a call of the user agent: random, unique in the process. */
export type SessionId = string;

/** Names a subscription or a publication of the user agent. */
export type SubscriptionId = string;

/** The body of a message with its media type. */
export interface Body {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export type UserAgentOutput = Transmit | CoreEvent<UserAgentEvent>;

export type RegistrationState = 'registering' | 'registered' | 'failed' | 'rejected' | 'unregistered';

export interface RegistrationEvent {
  readonly type: 'registration';
  readonly account: AccountId;
  /** `failed`: tried again soon; `rejected`: the registrar does not want us, tried again much later. */
  readonly state: RegistrationState;
  readonly statusCode?: number;
  readonly reasonPhrase?: string;
  /** What stood in the way of delivery, in words for people. */
  readonly obstacle?: string;
  readonly expiresInMs?: Milliseconds;
  readonly retryInMs?: Milliseconds;
  /** From the REGISTER sent to its final answer. */
  readonly elapsedMs?: Milliseconds;
  /** What the clock of the registrar says, wall-clock ms (RFC 3261 §20.17). */
  readonly wallTime?: number;
}

/**
 * Each session ends with exactly one of: `failed` (outgoing, never accepted), `cancelled` (incoming, gone before we accepted), `ended`
 * (accepted). A session that we `reject` or `end` before accepting it is over at once, without an event.
 */
export type UserAgentEvent =
  | RegistrationEvent
  /** A call for us; `request` is the INVITE. */
  | {
      readonly type: 'incoming';
      readonly session: SessionId;
      readonly account?: AccountId;
      readonly request: Request;
      /** Who calls, as the account's own server asserts it (RFC 3325); else only From says so. */
      readonly asserted?: NameAddr;
      /** RFC 3891: the call whose place this one is to take once it is accepted; ending that one is up to its owner. */
      readonly replaces?: SessionId;
      /** RFC 3911: the call this one is to be brought together with. */
      readonly joins?: SessionId;
    }
  /** 101 to 199: ringing, early media. */
  | {
      readonly type: 'progress';
      readonly session: SessionId;
      readonly statusCode: number;
      readonly reasonPhrase: string;
      readonly body?: Body;
    }
  /** Our INVITE got a 2xx. */
  | {
      readonly type: 'accepted';
      readonly session: SessionId;
      readonly body?: Body;
      readonly remote: NameAddr;
      readonly asserted?: NameAddr;
      /** Our INVITE had no offer, so `body` is theirs: call `answerReoffer` at once. */
      readonly wantsAnswer?: boolean;
    }
  /** RFC 4916: the call is with somebody else now. */
  | { readonly type: 'identified'; readonly session: SessionId; readonly remote: NameAddr }
  /** The ACK of the 2xx we sent; `body` is the answer to an offer we made there. */
  | { readonly type: 'confirmed'; readonly session: SessionId; readonly body?: Body }
  | {
      readonly type: 'failed';
      readonly session: SessionId;
      /** 487 when we cancelled, 408 for a timeout, 503 when the transport failed. */
      readonly statusCode: number;
      readonly reasonPhrase: string;
      readonly cause: 'response' | 'timeout' | 'transport';
      /** Of a 3xx: where to try instead, best first. */
      readonly contacts?: readonly NameAddr[];
      readonly retryAfterSeconds?: number;
      /** What the Warning header says, for people. */
      readonly warning?: string;
      /** RFC 6910: they were busy; what to subscribe to, to hear when they are free. */
      readonly completion?: Uri;
    }
  | {
      readonly type: 'cancelled';
      readonly session: SessionId;
      /** Another phone took the call (RFC 3326). */
      readonly acceptedElsewhere?: boolean;
      /** What the Reason of the CANCEL says, for people. */
      readonly reason?: string;
    }
  | {
      readonly type: 'ended';
      readonly session: SessionId;
      readonly by: 'local' | 'remote' | 'timeout';
      /** What a Reason header or the cause says, for people. */
      readonly reason?: string;
    }
  /** A re-INVITE or UPDATE with an offer, or a re-INVITE that wants one: call `answerReoffer`. */
  | { readonly type: 'reoffered'; readonly session: SessionId; readonly body?: Body }
  /** What became of our `reoffer`; the call goes on unchanged unless it is 2xx. */
  | { readonly type: 'reofferAnswered'; readonly session: SessionId; readonly statusCode: number; readonly body?: Body }
  /** A re-INVITE that only kept the call alive was answered; `body` is the far end's media, mostly as it was (RFC 4028). */
  | { readonly type: 'refreshed'; readonly session: SessionId; readonly body: Body }
  /** An INFO, already answered with 200. */
  | { readonly type: 'info'; readonly session: SessionId; readonly body: Body }
  | { readonly type: 'infoAnswered'; readonly session: SessionId; readonly statusCode: number }
  /**
   * RFC 3515: the far end of a call, or without one a server of `account`, asks us to call somebody: `acceptRefer` or `rejectRefer` at once, then
   * `tellReferred`.
   */
  | {
      readonly type: 'referred';
      readonly session: SessionId;
      readonly target: Uri;
      readonly referredBy?: string;
      readonly account?: AccountId;
    }
  /** How our `refer` goes; ends with `concluded`, with the status of the call it led to or of the refusal, or with `unknown`. */
  | {
      readonly type: 'referProgress';
      readonly session: SessionId;
      readonly stage: 'accepted' | 'progress' | 'concluded' | 'unknown';
      readonly statusCode: number;
      readonly reasonPhrase: string;
    }
  /** RFC 3428: an instant message, already answered with 200. */
  | { readonly type: 'textReceived'; readonly account?: AccountId; readonly from: NameAddr; readonly text: string }
  /** What became of our `sendText`; 408 for a timeout, 503 when the transport failed. */
  | { readonly type: 'textAnswered'; readonly message: string; readonly statusCode: number; readonly reasonPhrase: string }
  /** RFC 3994: somebody writes a message to us, or no longer. */
  | {
      readonly type: 'composing';
      readonly account?: AccountId;
      readonly from: NameAddr;
      readonly active: boolean;
      /** How long that counts without being said again, s. */
      readonly seconds: number;
    }
  /** What a `watch` has been told by the notifier that `branch` names; without a body nothing is known there. */
  | { readonly type: 'notified'; readonly subscription: SubscriptionId; readonly branch: string; readonly body?: Body }
  /** What that notifier told counts no longer. */
  | { readonly type: 'notifierGone'; readonly subscription: SubscriptionId; readonly branch: string }
  /** How a `watch` stands; `waiting` is tried again by itself, `refused` is not, `ended` was asked for once. */
  | {
      readonly type: 'subscription';
      readonly subscription: SubscriptionId;
      readonly state: 'active' | 'waiting' | 'refused' | 'ended';
      readonly statusCode: number;
      readonly reason: string;
    }
  /** How a `publish` stands. */
  | {
      readonly type: 'publication';
      readonly publication: SubscriptionId;
      readonly state: 'published' | 'waiting' | 'refused';
      readonly statusCode: number;
    }
  /** A server of ours asks the device to read its settings anew, or to restart. */
  | { readonly type: 'checkSync'; readonly account: AccountId; readonly reboot: boolean }
  /** RFC 3842. */
  | {
      readonly type: 'messageWaiting';
      readonly account: AccountId;
      readonly waiting: boolean;
      readonly newMessages: number;
      readonly oldMessages: number;
    }
  /** One message on the wire as a line of the log, without secrets; only with the setting `trace`. */
  | { readonly type: 'message'; readonly direction: 'sent' | 'received'; readonly peer: string; readonly summary: string };
