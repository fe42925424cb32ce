import { attributeValue, type MediaSection, parseDecimal, type SdpAttribute } from './session-description.ts';

/** What one RTP payload type means: an rtpmap line, and the fmtp line that refines it. */
export interface AudioFormat {
  readonly payloadType: number;
  /** Encoding name as registered; compared without case. */
  readonly name: string;
  /** Of the RTP timestamp, in Hz (8000 for G.722 too, RFC 3551 §4.5.2). */
  readonly clockRate: number;
  readonly channels: number;
  /** The fmtp parameters, as text. */
  readonly parameters: string | undefined;
}

export const pcmu: AudioFormat = { payloadType: 0, name: 'PCMU', clockRate: 8000, channels: 1, parameters: undefined };
export const pcma: AudioFormat = { payloadType: 8, name: 'PCMA', clockRate: 8000, channels: 1, parameters: undefined };

export const g722: AudioFormat = { payloadType: 9, name: 'G722', clockRate: 8000, channels: 1, parameters: undefined };
/** Uncompressed; its static payload types are for music. */
export const l16: AudioFormat = { payloadType: 98, name: 'L16', clockRate: 8000, channels: 1, parameters: undefined };
export const l16Wide: AudioFormat = { payloadType: 97, name: 'L16', clockRate: 16_000, channels: 1, parameters: undefined };
export const l16Music: AudioFormat = { payloadType: 11, name: 'L16', clockRate: 44_100, channels: 1, parameters: undefined };
/** RFC 7587 §7: always 48000 and two channels, whatever is in it. */
export const opus: AudioFormat = { payloadType: 96, name: 'opus', clockRate: 48_000, channels: 2, parameters: undefined };
/** RFC 3389. */
export const comfortNoise: AudioFormat = { payloadType: 13, name: 'CN', clockRate: 8000, channels: 1, parameters: undefined };

/** RFC 4733 digits 0–9 * # A–D and flash, under the payload type nearly everybody uses. */
export const telephoneEvent: AudioFormat = eventsAt(8000, 101);

/** Digits run on the clock of the audio they stand in for (RFC 4733 §2.1): one format for each clock of `codecs`, that of old first. */
export function telephoneEventsFor(codecs: readonly AudioFormat[]): AudioFormat[] {
  const clocks = new Set(codecs.map(({ clockRate }) => clockRate));
  return allEvents.filter(({ clockRate }) => clockRate === telephoneEvent.clockRate || clocks.has(clockRate));
}

const allEvents: readonly AudioFormat[] = [telephoneEvent, eventsAt(48_000, 100), eventsAt(16_000, 102), eventsAt(44_100, 103)];

/** RFC 3551 §6: payload types that mean something without an rtpmap. Only those a phone could use. */
const staticFormats = new Map<number, AudioFormat>(
  [pcmu, pcma, g722, { ...l16Music, payloadType: 10, channels: 2 }, l16Music, comfortNoise].map((format) => [format.payloadType, format]),
);

/** The usable formats of an m= section in its order; numbers that are no payload type or have no meaning are left out. */
export function formatsOf(section: MediaSection): AudioFormat[] {
  const formats: AudioFormat[] = [];
  for (const text of section.formats) {
    const payloadType = parseDecimal(text, 127);
    if (payloadType === undefined || formats.some((format) => format.payloadType === payloadType)) continue;
    const mapping = valueForPayload(section.attributes, 'rtpmap', text);
    const format = (mapping === undefined ? undefined : parseMapping(payloadType, mapping)) ?? staticFormats.get(payloadType);
    if (format) formats.push({ ...format, parameters: valueForPayload(section.attributes, 'fmtp', text) });
  }
  return formats;
}

/** The rtpmap and fmtp lines for `format`. */
export function attributesFor(format: AudioFormat): SdpAttribute[] {
  const channels = format.channels > 1 ? `/${format.channels}` : '';
  const mapping = { name: 'rtpmap', value: `${format.payloadType} ${format.name}/${format.clockRate}${channels}` };
  if (format.parameters === undefined) return [mapping];
  return [mapping, { name: 'fmtp', value: `${format.payloadType} ${format.parameters}` }];
}

/** True if two payload types carry the same thing; the fmtp line does not matter for any format of today. */
export function sameEncoding(a: AudioFormat, b: AudioFormat): boolean {
  return a.clockRate === b.clockRate && a.channels === b.channels && a.name.toUpperCase() === b.name.toUpperCase();
}

/** An attribute's integer value not above `atMost`. */
export function integerAttribute(attributes: readonly SdpAttribute[], name: string, atMost: number): number | undefined {
  const value = attributeValue(attributes, name);
  return value === undefined ? undefined : parseDecimal(value.trim(), atMost);
}

function eventsAt(clockRate: number, payloadType: number): AudioFormat {
  return { payloadType, name: 'telephone-event', clockRate, channels: 1, parameters: '0-16' };
}

/** What follows `a=NAME:PAYLOAD `. */
function valueForPayload(attributes: readonly SdpAttribute[], name: string, payload: string): string | undefined {
  for (const attribute of attributes) {
    if (attribute.name !== name || attribute.value === undefined) continue;
    const space = attribute.value.indexOf(' ');
    if (space === payload.length && attribute.value.startsWith(payload)) return attribute.value.slice(space + 1).trim();
  }
  return undefined;
}

/** `PCMU/8000` or `opus/48000/2`; a clock rate of zero would divide by zero later and is no mapping at all. */
function parseMapping(payloadType: number, mapping: string): AudioFormat | undefined {
  const [name, clock, channelText] = mapping.split('/', 4);
  const clockRate = clock === undefined ? undefined : parseDecimal(clock, 384_000);
  const channels = channelText === undefined ? 1 : parseDecimal(channelText, 8);
  if (!name || !clockRate || !channels) return undefined;
  // Two mistakes that are common enough: the rate of the sound for G.722 (RFC 3551 §4.5.2), and Opus without its two channels.
  const isG722 = name.toUpperCase() === g722.name && clockRate === 16_000;
  const isOpus = name.toLowerCase() === opus.name && clockRate === opus.clockRate;
  return { payloadType, name, clockRate: isG722 ? 8000 : clockRate, channels: isOpus ? 2 : channels, parameters: undefined };
}
