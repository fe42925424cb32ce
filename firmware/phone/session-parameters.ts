import type { SessionParameters } from '#firmware/contract/media.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import { type AudioFormat, g722, l16, pcma, pcmu, sameEncoding } from '#firmware/sdp/audio-format.ts';
import type { NegotiatedAudio, NegotiatedCodec } from '#firmware/sdp/offer-answer.ts';

type MediaCodec = SessionParameters['codecs'][0];
/** A codec by the name that settings and media know it by. */
export type CodecName = MediaCodec['name'];

/** What each codec is in SDP. */
export const codecFormats: Readonly<Record<CodecName, AudioFormat>> = { PCMU: pcmu, PCMA: pcma, G722: g722, L16: l16 };
export const codecNames: readonly CodecName[] = ['PCMU', 'PCMA', 'G722', 'L16'];

/** What was agreed, as media wants to hear it. */
export function sessionParametersOf(audio: NegotiatedAudio, symmetric: boolean): SessionParameters {
  const [first, ...others] = audio.codecs;
  const events = audio.telephoneEvent;
  return {
    remote: { address: audio.remoteAddress, rtpPort: audio.remotePort, rtcpPort: audio.remoteRtcpPort },
    codecs: [mediaCodecOf(first), ...others.map(mediaCodecOf)],
    ptime: packetTimeOf(audio.ptime),
    telephoneEvent: events ? { send: events.sendPayloadType, receive: events.receivePayloadType } : null,
    direction: audio.direction,
    symmetric,
  };
}

/** Media has these; another wish is rounded down. */
function packetTimeOf(ptime: number): SessionParameters['ptime'] {
  if (ptime >= 60) return 60;
  if (ptime >= 40) return 40;
  if (ptime >= 30) return 30;
  return ptime >= 20 ? 20 : 10;
}

/** Only what was offered from `codecFormats` can have been agreed on. */
function mediaCodecOf(codec: NegotiatedCodec): MediaCodec {
  const { name, clockRate, channels, sendPayloadType: send, receivePayloadType: receive } = codec;
  const agreed = { payloadType: send, name, clockRate, channels, parameters: undefined };
  for (const known of codecNames) if (sameEncoding(codecFormats[known], agreed)) return { name: known, send, receive };
  throw new InvariantError(`agreed on the unknown codec ${name}`);
}
