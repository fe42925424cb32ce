import type { OpusEncoding, SessionParameters } from '#firmware/contract/media.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import {
  type AudioFormat,
  g722,
  l16,
  l16Music,
  l16Wide,
  opus,
  pcma,
  pcmu,
  sameEncoding,
  telephoneEventsFor,
} from '#firmware/sdp/audio-format.ts';
import type { LocalAudio, NegotiatedCodec } from '#firmware/sdp/offer-answer.ts';
import { formatOpusParameters, opusParametersOf } from '#firmware/sdp/opus-parameters.ts';

type MediaCodec = SessionParameters['codecs'][0];
/** A codec by the name that settings and media know it by. */
export type CodecName = MediaCodec['name'];

/** How Opus is to be spoken, as far as this side decides. */
export type OpusWishes = Omit<OpusEncoding, 'playbackRate'>;

const formats: Readonly<Record<CodecName, AudioFormat>> = {
  PCMU: pcmu,
  PCMA: pcma,
  G722: g722,
  opus,
  L16: l16,
  'L16/16000': l16Wide,
  'L16/44100': l16Music,
};
/** What everybody speaks. */
const lastResort: readonly CodecName[] = ['PCMU', 'PCMA'];

/** The codecs of these names that are there; those of everybody when none is. */
export function codecsThere(names: readonly CodecName[], hasOpus: boolean): readonly CodecName[] {
  const there = names.filter((name) => name !== 'opus' || hasOpus);
  return there.length > 0 ? there : lastResort;
}

/** Codecs and digits as SDP offers them. */
export function formatsOf(names: readonly CodecName[], wishes: OpusWishes): Pick<LocalAudio, 'codecs' | 'telephoneEvents'> {
  const codecs = names.map((name) => (name === 'opus' ? { ...opus, parameters: parametersFor(wishes) } : formats[name]));
  return { codecs, telephoneEvents: telephoneEventsFor(codecs) };
}

/** What was agreed on, in the words of media. Only what was offered from `formats` can have been. */
export function mediaCodecOf(codec: NegotiatedCodec, wishes: OpusWishes): MediaCodec {
  const { name, clockRate, channels, sendPayloadType: send, receivePayloadType: receive } = codec;
  const agreed = { payloadType: send, name, clockRate, channels, parameters: undefined };
  const known = codecNames.find((candidate) => sameEncoding(formats[candidate], agreed));
  if (known === undefined) throw new InvariantError(`agreed on the unknown codec ${name}`);
  return known === 'opus'
    ? { name: known, send, receive, encoding: encodingFor(codec.parameters, wishes) }
    : { name: known, send, receive };
}

/** A codec by its name in the settings. */
export const codecNames = Object.keys(formats) as readonly CodecName[];

function parametersFor({ sampleRate, constantBitrate, errorCorrection, discontinuous }: OpusWishes): string {
  return formatOpusParameters({
    maxPlaybackRate: sampleRate,
    maxAverageBitrate: undefined,
    constantBitrate,
    inBandFec: errorCorrection,
    discontinuous,
  });
}

/** RFC 7587 §6.1: what the far end asks for is for what it hears, so it bounds what we send. */
function encodingFor(parameters: string | undefined, wishes: OpusWishes): OpusEncoding {
  const theirs = opusParametersOf(parameters);
  return {
    sampleRate: wishes.sampleRate,
    bitrate: Math.min(wishes.bitrate, theirs.maxAverageBitrate ?? wishes.bitrate),
    constantBitrate: wishes.constantBitrate || theirs.constantBitrate,
    complexity: wishes.complexity,
    errorCorrection: wishes.errorCorrection && theirs.inBandFec,
    discontinuous: wishes.discontinuous && theirs.discontinuous,
    playbackRate: theirs.maxPlaybackRate,
  };
}
