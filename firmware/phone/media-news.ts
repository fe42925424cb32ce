import type { EventName, EventOf } from '#firmware/contract/contract.ts';
import type { Digit, LegQuality, mediaContract, OwnIce } from '#firmware/contract/media.ts';

type Media = typeof mediaContract;
/** One event of the media contract with its name. */
export type MediaContractEvent = { [N in EventName<Media>]: { readonly name: N; readonly fields: EventOf<Media, N> } }[EventName<Media>];

/** What the rest of the phone has to know of media. */
export type MediaNews =
  /** The leg has its ports: for the first time, or others than before. */
  | { readonly kind: 'legOpen'; readonly leg: string; readonly rtpPort: number; readonly rtcpPort: number; readonly ice: OwnIce | null }
  | { readonly kind: 'legFailed'; readonly leg: string; readonly reason: string }
  | { readonly kind: 'digit'; readonly leg: string; readonly digit: Digit; readonly way: 'event' | 'sound' }
  /** The search for a way through NATs has come to an end, or to an obstacle. */
  | { readonly kind: 'connected'; readonly leg: string; readonly way: string }
  | { readonly kind: 'notConnected'; readonly leg: string; readonly reason: string }
  /** What became of the handshake that the media ports agree on keys by. */
  | { readonly kind: 'secured'; readonly leg: string; readonly suite: string }
  | { readonly kind: 'securityFailed'; readonly leg: string; readonly reason: string }
  /** Sound of the far end stayed away although it was due. */
  | { readonly kind: 'silence'; readonly leg: string; readonly seconds: number }
  /** A leg that was closed had gone so well. */
  | { readonly kind: 'quality'; readonly leg: string; readonly quality: LegQuality }
  | { readonly kind: 'playbackFailed'; readonly leg: string; readonly reason: string };
