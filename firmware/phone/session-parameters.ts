import type { SessionParameters } from '#firmware/contract/media.ts';
import type { NegotiatedAudio } from '#firmware/sdp/offer-answer.ts';

/** What was agreed, as media wants to hear it. */
export function sessionParametersOf(audio: NegotiatedAudio, symmetric: boolean): SessionParameters {
  const [codec] = audio.codecs;
  const events = audio.telephoneEvent;
  return {
    remote: { address: audio.remoteAddress, rtpPort: audio.remotePort, rtcpPort: audio.remoteRtcpPort },
    codec: { name: codec.name === 'PCMA' ? 'PCMA' : 'PCMU', payloadType: codec.sendPayloadType },
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
