import type { SessionParameters } from '#firmware/contract/media.ts';
import { hasRtcpCandidates } from '#firmware/sdp/ice-attributes.ts';
import type { NegotiatedSecurity } from '#firmware/sdp/media-security.ts';
import type { NegotiatedAudio } from '#firmware/sdp/offer-answer.ts';
import { mediaCodecOf } from './codec-choice.ts';
import type { SoundSettings } from './phone-settings.ts';

/** What was agreed, as media wants to hear it. */
export function sessionParametersOf(audio: NegotiatedAudio, sound: SoundSettings, symmetric: boolean): SessionParameters {
  const [first, ...others] = audio.codecs;
  return {
    remote: { address: audio.remoteAddress, rtpPort: audio.remotePort, rtcpPort: audio.remoteRtcpPort },
    codecs: [mediaCodecOf(first, sound.opus), ...others.map((codec) => mediaCodecOf(codec, sound.opus))],
    ptime: packetTimeOf(audio.ptime),
    telephoneEvents: audio.telephoneEvents.map(({ sendPayloadType: send, receivePayloadType: receive, clockRate }) => ({
      send,
      receive,
      clockRate,
    })),
    detectDigits: sound.hearDigits,
    comfortNoise: audio.comfortNoise,
    direction: audio.direction,
    symmetric,
    // Of DTLS there is one handshake for both, so RTCP goes with RTP; so it does where ICE finds a way for RTP only.
    rtcpMux: audio.rtcpMux || audio.security?.kind === 'dtls' || (audio.ice !== undefined && !hasRtcpCandidates(audio.ice)),
    extendedReports: audio.extendedReports ?? false,
    ice: audio.ice ? { ...audio.ice, candidates: [...audio.ice.candidates] } : null,
    security: audio.security ? mediaSecurityOf(audio.security) : null,
  };
}

function mediaSecurityOf(security: NegotiatedSecurity): SessionParameters['security'] {
  if (security.kind === 'dtls') return security;
  const { kind, suite, sendKey, receiveKey, mkiLength } = security;
  return { kind, suite, sendKey, receiveKey, mkiLength };
}

/** Media has these; another wish is rounded down. */
function packetTimeOf(ptime: number): SessionParameters['ptime'] {
  if (ptime >= 60) return 60;
  if (ptime >= 40) return 40;
  if (ptime >= 30) return 30;
  return ptime >= 20 ? 20 : 10;
}
