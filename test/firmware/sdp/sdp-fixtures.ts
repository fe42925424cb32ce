import { pcma, pcmu, telephoneEvent } from '#firmware/sdp/audio-format.ts';
import type { LocalAudio } from '#firmware/sdp/offer-answer.ts';
import { parseSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';

/** A phone at 192.0.2.1. */
export const localAudio: LocalAudio = {
  address: '192.0.2.1',
  port: 30_000,
  rtcpPort: 30_001,
  codecs: [pcmu, pcma],
  telephoneEvents: [telephoneEvent],
  comfortNoise: false,
  ptime: 20,
  maxPtime: 60,
  direction: 'sendrecv',
  ice: undefined,
  security: undefined,
  rtcpMux: false,
};

/** The description in these lines; throws when they are none. */
export function parsed(...lines: readonly string[]): SessionDescription {
  const result = parseSessionDescription(lines.join('\r\n'));
  if (result.outcome === 'malformed') throw new Error(`${result.reason} in line ${result.line}`);
  return result.description;
}

/** A peer at 192.0.2.2 that says `media`. */
export function remote(...media: readonly string[]): SessionDescription {
  return parsed('v=0', 'o=peer 9 1 IN IP4 192.0.2.2', 's=-', 'c=IN IP4 192.0.2.2', 't=0 0', ...media);
}
