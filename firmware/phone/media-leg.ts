import type { SessionParameters, SessionStatistics, ToneName } from '#firmware/contract/media.ts';
import type { MediaCommand } from './outbox.ts';
import type { IceServers } from './phone-settings.ts';

/** A file that plays to the far end. */
export interface Playback {
  readonly name: string;
  readonly file: string;
  readonly gapMs: number;
  /** How often; 0 = until it is stopped. */
  readonly repeat: number;
}

/** What is wanted of one RTP session; all of it is told again to a media daemon that comes back. */
export interface Leg {
  address: string;
  /** Servers for the search for a way through NATs. */
  readonly ice: IceServers | null;
  /** Told to media, and which ports it has. */
  state: 'wanted' | 'opening' | 'open';
  rtpPort: number;
  parameters: SessionParameters | undefined;
  device: string | null;
  /** How much louder than received it is heard, dB. */
  level: number;
  tone: ToneName | null;
  playback: Playback | undefined;
  statistics: SessionStatistics | undefined;
}

/** A leg of which nothing is wanted yet but its ports. */
export function emptyLeg(address: string, ice: IceServers | null): Leg {
  return {
    address,
    ice,
    state: 'wanted',
    rtpPort: 0,
    parameters: undefined,
    device: null,
    level: 0,
    tone: null,
    playback: undefined,
    statistics: undefined,
  };
}

/** What a media that has just got the leg is told of it, beside what it plays. */
export function tellingOf(session: string, { parameters, device, level, tone }: Leg): MediaCommand[] {
  const told: MediaCommand[] = [];
  if (parameters) told.push({ name: 'updateSession', args: { session, parameters } });
  if (device !== null) told.push({ name: 'connectSession', args: { session, device } });
  if (level !== 0) told.push({ name: 'setLevel', args: { session, decibels: level } });
  if (tone) told.push({ name: 'startTone', args: { target: { kind: 'session', session }, tone } });
  return told;
}
