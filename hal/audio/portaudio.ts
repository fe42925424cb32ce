import type { AudioOptions, DeviceInfo, IoStreamDuplex } from 'naudiodon';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { type ChosenDevice, type FrameLength, frameMs, shortFrameMs } from './audio-port.ts';
import { chooseDevice, identityOf, type SoundDeviceEntry, soundDeviceEntries } from './device-choice.ts';
import { readSoundCards } from './sound-cards.ts';

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
 * - Devices are numbered anew with each boot and plug, and a number that is none means the default: they are chosen by what stays.
 */

export type PortAudioSpec = Extract<AudioDeviceSpec, { driver: 'portaudio' }>;

/** With the rate settled. */
type OpenedSpec = Omit<PortAudioSpec, 'sampleRate'> & { readonly sampleRate: number };

/** Of which sound is made whole frames; the best first. */
const ownRates = [48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 8000];
/** Microphones in a row give as many. */
const channelsAtMost = 32;

export interface PortAudioEvents {
  /** A frame of the microphone: mono, signed 16 bit, native order. */
  captured(frame: Uint8Array): void;
  /** A frame written is in the hands of PortAudio. */
  taken(): void;
  /** The stream ended by itself. */
  ended(reason: string): void;
}

/** What of this machine sound can go to and come from. */
export async function listPortAudioDevices(): Promise<SoundDeviceEntry[]> {
  const library = await loadPortAudio();
  return soundDeviceEntries(library.getDevices(), await readSoundCards());
}

/** Opens a stream in the directions the specification names, not started; with frames of 20 ms where shorter ones are refused. Rejects with ResourceError. */
export async function openPortAudioStream(wanted: PortAudioSpec): Promise<PortAudioStream> {
  const library = await loadPortAudio();
  if (wanted.input === null && wanted.output === null) throw new ResourceError('the sound device names neither an input nor an output');
  const [devices, cards] = [library.getDevices(), await readSoundCards()];
  const input = wanted.input === null ? undefined : chooseDevice(wanted.input, 'input', devices, cards);
  const output = wanted.output === null ? undefined : chooseDevice(wanted.output, 'output', devices, cards);
  let refusal = '';
  for (const [sampleRate, length, inputs, outputs] of choicesOf(wanted, input, output)) {
    const spec = { ...wanted, sampleRate };
    const options = {
      ...(input && { inOptions: optionsFor(spec, length, input, inputs) }),
      ...(output && { outOptions: optionsFor(spec, length, output, outputs) }),
    };
    try {
      // The declared types tell three kinds of stream apart; which one it is, we know by `channels`.
      const stream = library.AudioIO(options as Required<typeof options>) as IoStreamDuplex;
      const chosen = (device: DeviceInfo | undefined, channels: number) => device && { identity: identityOf(device, cards), channels };
      return new PortAudioStream(stream, spec, length, { input: chosen(input, inputs), output: chosen(output, outputs) });
    } catch (thrown) {
      refusal = messageOf(thrown);
      // A card that another program has is not to be had in any form.
      if (/unavailable|busy/i.test(refusal)) break;
    }
  }
  throw new ResourceError(`the sound device ${wanted.input ?? '-'}/${wanted.output ?? '-'} cannot be opened: ${refusal}`);
}

/** A PortAudio stream of mono frames. Cards that know only stereo get the same sound on both sides. */
export class PortAudioStream {
  readonly frameMs: FrameLength;
  readonly sampleRate: number;
  readonly frameSamples: number;
  /** `undefined` = not in this direction. */
  readonly input: ChosenDevice | undefined;
  readonly output: ChosenDevice | undefined;
  readonly #stream: IoStreamDuplex;
  readonly #channels: { readonly input: number; readonly output: number };
  readonly #prefill: boolean;
  #events: PortAudioEvents | undefined;

  constructor(
    stream: IoStreamDuplex,
    spec: OpenedSpec,
    length: FrameLength,
    { input, output }: { readonly input: ChosenDevice | undefined; readonly output: ChosenDevice | undefined },
  ) {
    this.#stream = stream;
    this.input = input;
    this.output = output;
    this.#channels = { input: input?.channels ?? 0, output: output?.channels ?? 0 };
    this.frameMs = length;
    this.sampleRate = spec.sampleRate;
    this.frameSamples = samplesOf(spec, length);
    // A callback that is no whole number of frames waits for samples which only the frame after would bring: one frame ahead helps.
    const wholeFrames = (spec.framesPerBuffer ?? this.frameSamples) % this.frameSamples === 0;
    this.#prefill = output !== undefined && (input === undefined || !wholeFrames);
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

/** What the card is asked for, one after the other, until it agrees: rate, length of frames, channels in and out. */
function choicesOf(wanted: PortAudioSpec, input: DeviceInfo | undefined, output: DeviceInfo | undefined) {
  const own = ownRates.filter((rate) => rate === output?.defaultSampleRate || rate === input?.defaultSampleRate);
  const rates = wanted.sampleRate === undefined ? [...new Set([...own, ...ownRates])] : [wanted.sampleRate];
  const lengths = wanted.frameMs === frameMs ? [frameMs] : [shortFrameMs, frameMs];
  const choices = rates.flatMap((rate) => lengths.map((length) => [rate, length] as const));
  return choices
    .filter(([rate, length]) => Number.isInteger((rate * length) / 1000))
    .flatMap((choice) =>
      channelChoices(input?.maxInputChannels).flatMap((inputs) =>
        channelChoices(output?.maxOutputChannels).map((outputs) => [...choice, inputs, outputs] as const),
      ),
    );
}

async function loadPortAudio(): Promise<typeof import('naudiodon')> {
  try {
    return await import('naudiodon');
  } catch (thrown) {
    throw new ResourceError(`PortAudio cannot be loaded: ${messageOf(thrown)}`);
  }
}

/** Mono where the card lets us, stereo or all it has where it insists; `undefined` = not in this direction. */
function channelChoices(most = 1): number[] {
  return [...new Set([1, Math.min(2, most), Math.min(most, channelsAtMost)])];
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
