import type { AudioOptions, DeviceInfo, IoStreamDuplex } from 'naudiodon';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { type FrameLength, frameMs, shortFrameMs } from './audio-port.ts';

/**
 * naudiodon, for a process that does nothing else (sound-host.ts). What there is to know about it, all measured:
 *
 * - Its streams hand over exactly `highwaterMark` bytes; the default of 16384 makes a second of latency.
 * - PortAudio's thread waits for JavaScript on both sides. So in a stream of both directions there is one write for one read, and the
 *   number of frames under way never changes: a stall leaves no lasting latency, as it does with two separate streams.
 * - A read under way keeps a thread of libuv's pool, and so does a write while the queue is full.
 * - `abort` always throws, so streams end by `quit`, and that hangs when the card was pulled out. A stream which ends itself quits a
 *   second time, which closes what is closed: its `finish` listener is taken off before.
 * - When a card is pulled out nothing is reported. PortAudio's thread may loop for ever and print some 300 000 lines a second.
 * - The list of devices is as old as the first stream of the process that was not closed in order.
 */

export type PortAudioSpec = Extract<AudioDeviceSpec, { driver: 'portaudio' }>;

/** With the rate settled. */
type OpenedSpec = Omit<PortAudioSpec, 'sampleRate'> & { readonly sampleRate: number };

const ownRates = [48_000, 44_100, 16_000, 8000];
const plainRate = 8000;

export interface PortAudioEvents {
  /** A frame of the microphone: mono, signed 16 bit, native order. */
  captured(frame: Uint8Array): void;
  /** A frame written is in the hands of PortAudio. */
  taken(): void;
  /** The stream ended by itself. */
  ended(reason: string): void;
}

/** Opens a stream in the directions the specification names, not started; with frames of 20 ms where shorter ones are refused. Rejects with ResourceError. */
export async function openPortAudioStream(wanted: PortAudioSpec): Promise<PortAudioStream> {
  const library = await loadPortAudio();
  const devices = library.getDevices();
  const input = wanted.input === null ? undefined : deviceNamed(devices, wanted.input, 'maxInputChannels');
  const output = wanted.output === null ? undefined : deviceNamed(devices, wanted.output, 'maxOutputChannels');
  const spec = { ...wanted, sampleRate: wanted.sampleRate ?? ownRate(output ?? input) };
  if (!input && !output) throw new ResourceError('the sound device names neither an input nor an output');
  let refusal = '';
  const lengths = spec.frameMs === frameMs ? [frameMs] : [shortFrameMs, frameMs];
  const choices = lengths.flatMap((length) => channelChoices(input, output).map((channels) => [length, ...channels] as const));
  for (const [length, inputs, outputs] of choices) {
    const options = {
      ...(input && { inOptions: optionsFor(spec, length, input, inputs) }),
      ...(output && { outOptions: optionsFor(spec, length, output, outputs) }),
    };
    try {
      // The declared types tell three kinds of stream apart; which one it is, we know by `channels`.
      const stream = library.AudioIO(options as Required<typeof options>) as IoStreamDuplex;
      return new PortAudioStream(stream, spec, length, { input: input ? inputs : 0, output: output ? outputs : 0 });
    } catch (thrown) {
      refusal = messageOf(thrown);
    }
  }
  throw new ResourceError(`the sound device ${spec.input ?? '-'}/${spec.output ?? '-'} cannot be opened: ${refusal}`);
}

/** A PortAudio stream of mono frames. Cards that know only stereo get the same sound on both sides. */
export class PortAudioStream {
  readonly frameMs: FrameLength;
  readonly sampleRate: number;
  readonly frameSamples: number;
  readonly #stream: IoStreamDuplex;
  readonly #channels: { readonly input: number; readonly output: number };
  readonly #prefill: boolean;
  #events: PortAudioEvents | undefined;

  constructor(stream: IoStreamDuplex, spec: OpenedSpec, length: FrameLength, channels: { input: number; output: number }) {
    this.#stream = stream;
    this.#channels = channels;
    this.frameMs = length;
    this.sampleRate = spec.sampleRate;
    this.frameSamples = samplesOf(spec, length);
    // A callback that is no whole number of frames waits for samples which only the frame after would bring: one frame ahead helps.
    const wholeFrames = (spec.framesPerBuffer ?? this.frameSamples) % this.frameSamples === 0;
    this.#prefill = channels.output > 0 && (channels.input === 0 || !wholeFrames);
  }

  /** Starts the flow. Throws ResourceError when the card refuses. */
  start(events: PortAudioEvents): void {
    this.#events = events;
    this.#stream.on('error', (error: unknown) => this.#events?.ended(messageOf(error)));
    this.#stream.on('close', () => this.#events?.ended('the stream was closed'));
    if (this.#channels.input > 0) this.#stream.on('data', (bytes: Uint8Array) => this.#events?.captured(this.#mono(bytes)));
    try {
      this.#stream.start();
    } catch (thrown) {
      throw new ResourceError(messageOf(thrown));
    }
    if (this.#prefill) this.write(new Uint8Array(this.frameSamples * 2));
  }

  /** Queues one mono frame, which must not be changed any more. `taken` follows for each. */
  write(frame: Uint8Array): void {
    if (this.#channels.output > 0) this.#stream.write(this.#interleaved(frame), () => this.#events?.taken());
  }

  /** Ends the stream once what was written is played. Never resolves when the card does not let go. */
  async quit(): Promise<void> {
    this.#events = undefined;
    this.#stream.removeAllListeners('finish');
    await this.#stream.quit();
  }

  #mono(bytes: Uint8Array): Uint8Array {
    const channels = this.#channels.input;
    if (channels === 1) return bytes;
    const from = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const to = new DataView(new ArrayBuffer(this.frameSamples * 2));
    for (let at = 0; at < this.frameSamples; at++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) sum += from.getInt16((at * channels + channel) * 2, true);
      to.setInt16(at * 2, sum / channels, true);
    }
    return new Uint8Array(to.buffer);
  }

  #interleaved(frame: Uint8Array): Uint8Array {
    const channels = this.#channels.output;
    if (channels === 1) return frame;
    const wide = new Uint8Array(frame.length * channels);
    for (let at = 0; at < wide.length; at++) wide[at] = frame[Math.floor(at / (2 * channels)) * 2 + (at & 1)] ?? 0;
    return wide;
  }
}

/** What a card runs at by itself; one with none of the rates that we know is asked for the telephone's. */
function ownRate(device: DeviceInfo | undefined): number {
  return ownRates.find((rate) => rate === device?.defaultSampleRate) ?? plainRate;
}

async function loadPortAudio(): Promise<typeof import('naudiodon')> {
  try {
    return await import('naudiodon');
  } catch (thrown) {
    throw new ResourceError(`PortAudio cannot be loaded: ${messageOf(thrown)}`);
  }
}

/** The device of this name; the place of a card, as in `USB Audio: - (hw:1,0)`, changes with each boot and need not be said. */
function deviceNamed(devices: readonly DeviceInfo[], name: string, direction: 'maxInputChannels' | 'maxOutputChannels'): DeviceInfo {
  const able = devices.filter((device) => device[direction] > 0);
  const found = able.find((device) => device.name === name) ?? able.find((device) => withoutPlace(device.name) === withoutPlace(name));
  if (found) return found;
  const word = direction === 'maxInputChannels' ? 'input' : 'output';
  const names = able.map((device) => device.name).join(', ');
  throw new ResourceError(`there is no sound ${word} named ${name}; there is ${names === '' ? 'none at all' : names}`);
}

function withoutPlace(name: string): string {
  return name.replace(/:? -? ?\(hw:\d+,\d+\)$/, '');
}

/** Mono where the card lets us, stereo where it insists. */
function channelChoices(input: DeviceInfo | undefined, output: DeviceInfo | undefined): (readonly [number, number])[] {
  const choices = [
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ] as const;
  return choices.filter(
    ([inputs, outputs]) =>
      inputs <= (input ? Math.max(1, input.maxInputChannels) : 1) && outputs <= (output ? Math.max(1, output.maxOutputChannels) : 1),
  );
}

function samplesOf(spec: OpenedSpec, length: FrameLength): number {
  return (spec.sampleRate * length) / 1000;
}

function optionsFor(spec: OpenedSpec, length: FrameLength, device: DeviceInfo, channels: number): AudioOptions {
  const frameSamples = samplesOf(spec, length);
  return {
    deviceId: device.id,
    sampleRate: spec.sampleRate,
    channelCount: channels,
    sampleFormat: 16,
    framesPerBuffer: spec.framesPerBuffer ?? frameSamples,
    highwaterMark: frameSamples * channels * 2,
    // A card without a microphone is paced by its queue, which the first frames fill: the shorter, the sooner one hears.
    maxQueue: spec.input === null ? 1 : 2,
    closeOnError: false,
  };
}
