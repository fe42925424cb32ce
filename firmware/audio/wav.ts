import type { AudioDecoder } from './codec.ts';
import { pcmaCodec, pcmuCodec } from './g711.ts';

/** WAV files (RIFF) with 16 bit PCM, A-law or µ-law; files of strangers, so every length is checked against what is there. */

export type WavEncoding = 'pcm16' | 'pcma' | 'pcmu';

/** Where the sound of a file lies and how to read it. */
export interface WavLayout {
  readonly encoding: WavEncoding;
  readonly sampleRate: number;
  readonly channels: number;
  /** Offset of the first byte of sound. */
  readonly dataStart: number;
  /** One past the last, cut to whole frames that are really there. */
  readonly dataEnd: number;
}

export type WavFailure = 'not-wav' | 'no-format' | 'unsupported-encoding' | 'unsupported-rate' | 'unsupported-channels' | 'no-sound';

export type WavOutcome =
  | { readonly outcome: 'readable'; readonly layout: WavLayout }
  | { readonly outcome: 'unreadable'; readonly reason: WavFailure };

const chunksAtMost = 256;
const extensibleTag = 0xfffe;

interface Format {
  readonly tag: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
}

/** Finds the sound in a file, or in as much of its beginning as holds the header; `fileLength` is that of the whole. */
export function parseWav(bytes: Uint8Array, fileLength = bytes.length): WavOutcome {
  if (bytes.length < 12 || !hasTag(bytes, 0, 'RIFF') || !hasTag(bytes, 8, 'WAVE')) return unreadable('not-wav');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Format | undefined;
  let offset = 12;
  for (let chunk = 0; chunk < chunksAtMost && offset + 8 <= bytes.length; chunk++) {
    const length = view.getUint32(offset + 4, true);
    const start = offset + 8;
    if (hasTag(bytes, offset, 'data')) return layoutOf(format, start, length, fileLength);
    if (hasTag(bytes, offset, 'fmt ') && length >= 16 && start + length <= bytes.length) format = readFormat(view, start, length);
    offset = start + length + (length & 1);
  }
  return unreadable(format ? 'no-sound' : 'no-format');
}

/** The 44 bytes before 16 bit PCM. While a file grows `dataLength` is 0; at its end the header is written once more. */
export function wavHeader(sampleRate: number, dataLength: number, channels = 1): Uint8Array {
  const bytes = new Uint8Array(44);
  const view = new DataView(bytes.buffer);
  for (const [offset, tag] of [
    [0, 'RIFF'],
    [8, 'WAVE'],
    [12, 'fmt '],
    [36, 'data'],
  ] as const) {
    for (let index = 0; index < 4; index++) bytes[offset + index] = tag.charCodeAt(index);
  }
  view.setUint32(4, 36 + dataLength, true);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2 * channels, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  view.setUint32(40, dataLength, true);
  return bytes;
}

/** Reads the sound of a file in memory from front to back, as mono: channels are averaged. */
export class WavReader {
  readonly layout: WavLayout;
  readonly #bytes: Uint8Array;
  readonly #frameBytes: number;
  readonly #decoder: AudioDecoder | undefined;
  readonly #one = new Int16Array(1);
  #offset: number;

  constructor(bytes: Uint8Array, layout: WavLayout) {
    this.layout = layout;
    this.#bytes = bytes;
    this.#frameBytes = frameBytesOf(layout);
    this.#offset = layout.dataStart;
    if (layout.encoding !== 'pcm16') this.#decoder = (layout.encoding === 'pcma' ? pcmaCodec : pcmuCodec).createDecoder();
  }

  rewind(): void {
    this.#offset = this.layout.dataStart;
  }

  /** Fills `samples` from its start; returns how many there were. */
  read(samples: Int16Array): number {
    const { channels, dataEnd } = this.layout;
    let count = 0;
    while (count < samples.length && this.#offset + this.#frameBytes <= dataEnd) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += this.#sampleAt(this.#offset, channel);
      samples[count++] = channels === 1 ? sum : Math.round(sum / channels);
      this.#offset += this.#frameBytes;
    }
    return count;
  }

  #sampleAt(offset: number, channel: number): number {
    const bytes = this.#bytes;
    if (!this.#decoder) return (((bytes[offset + 2 * channel + 1] ?? 0) << 24) >> 16) | (bytes[offset + 2 * channel] ?? 0);
    this.#decoder.decode(bytes, offset + channel, offset + channel + 1, this.#one, 0);
    return this.#one[0] ?? 0;
  }
}

function readFormat(view: DataView, start: number, length: number): Format {
  const tag = view.getUint16(start, true);
  // WAVE_FORMAT_EXTENSIBLE: the real tag begins the sub-format GUID.
  const real = tag === extensibleTag && length >= 26 ? view.getUint16(start + 24, true) : tag;
  return {
    tag: real,
    channels: view.getUint16(start + 2, true),
    sampleRate: view.getUint32(start + 4, true),
    bits: view.getUint16(start + 14, true),
  };
}

function layoutOf(format: Format | undefined, start: number, length: number, fileLength: number): WavOutcome {
  if (!format) return unreadable('no-format');
  const encoding = encodingOf(format);
  if (!encoding) return unreadable('unsupported-encoding');
  const { channels, sampleRate } = format;
  if (channels < 1 || channels > 8) return unreadable('unsupported-channels');
  if (sampleRate < 4000 || sampleRate > 192_000) return unreadable('unsupported-rate');
  const layout = { encoding, sampleRate, channels, dataStart: start, dataEnd: start };
  // A writer that streams, or that died, leaves 0 or a length beyond the end: then the sound goes to the end of the file.
  const there = Math.max(0, fileLength - start);
  const stated = length === 0 ? there : Math.min(length, there);
  const whole = stated - (stated % frameBytesOf(layout));
  return whole === 0 ? unreadable('no-sound') : { outcome: 'readable', layout: { ...layout, dataEnd: start + whole } };
}

function encodingOf({ tag, bits }: Format): WavEncoding | undefined {
  if (tag === 1 && bits === 16) return 'pcm16';
  if (tag === 6 && bits === 8) return 'pcma';
  return tag === 7 && bits === 8 ? 'pcmu' : undefined;
}

function frameBytesOf(layout: WavLayout): number {
  return layout.channels * (layout.encoding === 'pcm16' ? 2 : 1);
}

function hasTag(bytes: Uint8Array, offset: number, tag: string): boolean {
  for (let index = 0; index < 4; index++) if (bytes[offset + index] !== tag.charCodeAt(index)) return false;
  return true;
}

function unreadable(reason: WavFailure): WavOutcome {
  return { outcome: 'unreadable', reason };
}
