import { parseDecimal } from './session-description.ts';

/** What a side says of the Opus it wants to be sent (RFC 7587 §6.1). */
export interface OpusParameters {
  /** Hz; what lies above half of it need not be sent. */
  readonly maxPlaybackRate: number;
  /** Bit/s; `undefined` = whatever is good. */
  readonly maxAverageBitrate: number | undefined;
  readonly constantBitrate: boolean;
  readonly inBandFec: boolean;
  readonly discontinuous: boolean;
}

const fullBand = 48_000;
const lowestBitrate = 6000;
const highestBitrate = 510_000;
const parametersAtMost = 32;
const largest = 0xffff_ffff;

/** Reads the fmtp parameters of a peer; what is missing or makes no sense has its default. */
export function opusParametersOf(text: string | undefined): OpusParameters {
  const numberOf = numbersOf(text);
  const rate = numberOf('maxplaybackrate');
  const bitrate = numberOf('maxaveragebitrate');
  return {
    maxPlaybackRate: rate !== undefined && rate >= 8000 && rate <= fullBand ? rate : fullBand,
    maxAverageBitrate: bitrate === undefined || bitrate < lowestBitrate ? undefined : Math.min(bitrate, highestBitrate),
    constantBitrate: numberOf('cbr') === 1,
    inBandFec: numberOf('useinbandfec') === 1,
    discontinuous: numberOf('usedtx') === 1,
  };
}

/** The fmtp parameters for what this side wants. Mono: one ear, one mouth. */
export function formatOpusParameters({ maxPlaybackRate, maxAverageBitrate, ...flags }: OpusParameters): string {
  const rates = maxPlaybackRate < fullBand ? [`maxplaybackrate=${maxPlaybackRate}`, `sprop-maxcapturerate=${maxPlaybackRate}`] : [];
  const bitrate = maxAverageBitrate === undefined ? [] : [`maxaveragebitrate=${maxAverageBitrate}`];
  const { constantBitrate, inBandFec, discontinuous } = flags;
  const cbr = constantBitrate ? ['cbr=1'] : [];
  return [...rates, 'stereo=0', ...bitrate, ...cbr, `useinbandfec=${Number(inBandFec)}`, `usedtx=${Number(discontinuous)}`].join(';');
}

/** The numbers of an fmtp line by name, which has no case. What is no `name=value` is passed over. */
function numbersOf(text: string | undefined): (name: string) => number | undefined {
  const values = new Map<string, string>();
  for (const part of (text ?? '').split(';', parametersAtMost)) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim().toLowerCase();
    if (name !== '' && !values.has(name)) values.set(name, part.slice(equals + 1).trim());
  }
  return (name) => {
    const value = values.get(name);
    return value === undefined ? undefined : parseDecimal(value, largest);
  };
}
