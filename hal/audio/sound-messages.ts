import { Buffer } from 'node:buffer';
import type { ChosenDevice, FrameLength } from './audio-port.ts';

/**
 * What the process of a sound card says on its pipe: one octet of kind, two of length (little endian), the content. The other way go
 * naked frames, since nothing else goes there.
 */
export const soundMessageKinds = {
  /** The card runs, and how: JSON. */
  started: 1,
  /** A frame of the microphone. */
  captured: 2,
  /** The loudspeaker took a frame; said by cards without a microphone, whose beat it is. */
  taken: 3,
  /** The card failed or was never there: the reason as UTF-8. The process ends. */
  failed: 4,
  /** What devices there are: JSON. The process ends. */
  listed: 5,
} as const;
export type SoundMessageKind = keyof typeof soundMessageKinds;

const headerBytes = 3;
const nothing = Buffer.alloc(0);

export function encodeSoundMessage(kind: SoundMessageKind, content: Uint8Array = nothing): Buffer {
  const message = Buffer.allocUnsafe(headerBytes + content.length);
  message.writeUInt8(soundMessageKinds[kind], 0);
  message.writeUInt16LE(content.length, 1);
  message.set(content, headerBytes);
  return message;
}

/** How a card agreed to run. */
export interface SoundFormat {
  readonly frameMs: FrameLength;
  readonly sampleRate: number;
  /** Absent = not in this direction. */
  readonly input?: ChosenDevice | undefined;
  readonly output?: ChosenDevice | undefined;
}

export function encodeFormat({ frameMs, sampleRate, input, output }: SoundFormat): Uint8Array {
  return Buffer.from(JSON.stringify({ frameMs, sampleRate, input, output }));
}

export function decodeFormat(content: Buffer): SoundFormat {
  return JSON.parse(content.toString('utf8')) as SoundFormat;
}

/** Cuts the pipe's bytes into messages. Both ends are ours, so a kind it does not know is passed over. */
export class SoundMessageReader {
  #rest: Buffer = nothing;

  receive(bytes: Uint8Array, take: (kind: SoundMessageKind, content: Buffer) => void): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (this.#rest.length - at >= headerBytes) {
      const end = at + headerBytes + this.#rest.readUInt16LE(at + 1);
      if (end > this.#rest.length) break;
      const kind = kindOf(this.#rest.readUInt8(at));
      if (kind) take(kind, this.#rest.subarray(at + headerBytes, end));
      at = end;
    }
    this.#rest = this.#rest.subarray(at);
  }
}

/** Cuts bytes into frames of a fixed length. */
export class FrameReader {
  readonly #frameBytes: number;
  #rest: Buffer = nothing;

  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes;
  }

  receive(bytes: Uint8Array, take: (frame: Buffer) => void): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (; this.#rest.length - at >= this.#frameBytes; at += this.#frameBytes) take(this.#rest.subarray(at, at + this.#frameBytes));
    this.#rest = this.#rest.subarray(at);
  }
}

function kindOf(octet: number): SoundMessageKind | undefined {
  switch (octet) {
    case soundMessageKinds.started:
      return 'started';
    case soundMessageKinds.captured:
      return 'captured';
    case soundMessageKinds.taken:
      return 'taken';
    case soundMessageKinds.failed:
      return 'failed';
    case soundMessageKinds.listed:
      return 'listed';
    default:
      return undefined;
  }
}
