import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { RingName } from '#firmware/core/ring-names.ts';
import type { Uri } from '#firmware/sip/message/uri.ts';
import type { Body, SessionId } from '#firmware/sip/user-agent-events.ts';
import type { LineSettings } from './phone-settings.ts';
import type { DigitWay } from './press-filter.ts';

/** Whose call it is: a person's at the handset, a door's or an alert's, the latter by name. */
export type CallOwner =
  | { readonly kind: 'handset' }
  | { readonly kind: 'door'; readonly name: string }
  | { readonly kind: 'alert'; readonly name: string };

/** Who is at the far end, as far as we were told. */
export interface RemoteParty {
  readonly displayName: string;
  readonly uri: string;
}

/** A header field that an INVITE of ours bears beyond the usual ones. */
export type CallHeader = readonly [name: string, value: string];

/** All that is known of a call when it begins. */
export interface CallPlan {
  readonly id: string;
  readonly owner: CallOwner;
  readonly line: LineSettings | undefined;
  readonly remote: RemoteParty;
  /** What was dialled, or among whom its owner chose; for an incoming call the caller's address. */
  readonly dialString: string;
  /** Our address towards the far end, for sound. */
  readonly localAddress: string;
  readonly way:
    | { readonly direction: 'outgoing'; readonly target: Uri; readonly headers?: readonly CallHeader[] | undefined }
    /** `offer` is absent when the INVITE had none: then ours goes into the 200. */
    | {
        readonly direction: 'incoming';
        readonly session: SessionId;
        readonly offer: Body | undefined;
        /** No person has accepted it. */
        isAutomatic(): boolean;
      };
  /** What is known of the call beyond that, in words for people. */
  readonly remarks?: readonly string[] | undefined;
  /** How the caller or the exchange wants the bell to sound. */
  readonly ring?: RingName | undefined;
  /** How long it may ring, here or there. */
  readonly ringMs: Milliseconds;
}

/** Why a call is over. */
export interface CallEnding {
  readonly cause:
    | 'hungUp'
    | 'remoteHungUp'
    | 'lost'
    | 'cancelled'
    | 'missed'
    | 'acceptedElsewhere'
    | 'declined'
    | 'refused'
    | 'noAnswer'
    | 'noPort'
    | 'unusable';
  /** What was sent or received instead of a 200; `null` after a conversation. */
  readonly statusCode: number | null;
  /** For people. */
  readonly reason: string;
}

/** What the owner of a call is told. */
export type CallNews =
  | { readonly kind: 'ringing' | 'progress' | 'accepted' | 'ended'; readonly call: string }
  | { readonly kind: 'digit'; readonly call: string; readonly digit: Digit; readonly way: DigitWay };
