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

/** RFC 4733 digits 0–9 * # A–D and flash, under the payload type nearly everybody uses. */
export const telephoneEvent: AudioFormat = {
  payloadType: 101,
  name: 'telephone-event',
  clockRate: 8000,
  channels: 1,
  parameters: '0-16',
};

/** RFC 3551 §6: payload types that mean something without an rtpmap. Only those a phone could use. */
const staticFormats = new Map<number, AudioFormat>(
  [pcmu, pcma, g722, staticFormat(10, 'L16', 44_100, 2), staticFormat(11, 'L16', 44_100, 1), staticFormat(13, 'CN', 8000, 1)].map(
    (format) => [format.payloadType, format],
  ),
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

function staticFormat(payloadType: number, name: string, clockRate: number, channels: number): AudioFormat {
  return { payloadType, name, clockRate, channels, parameters: undefined };
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
  return { payloadType, name, clockRate, channels, parameters: undefined };
}
