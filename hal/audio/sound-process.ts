import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import type { PortAudioSpec } from './portaudio.ts';
import { decodeFormat, type SoundFormat, type SoundMessageKind, SoundMessageReader } from './sound-messages.ts';

export interface SoundEvents {
  /** A frame of the microphone: mono, signed 16 bit, native order. */
  captured(bytes: Uint8Array): void;
  /** A card without a microphone took a frame. */
  taken(): void;
  /** The card or its process is gone. */
  ended(reason: string): void;
}

/** A slow machine starts Node in a second, and PortAudio asks every card. */
const startWithinMs: Milliseconds = 10_000;
const stopWithinMs: Milliseconds = 1_500;

/** The end of the pipes that commands a sound card's process (sound-host.ts). Nothing that happens there can block or end this process. */
export class SoundProcess {
  readonly #child: ChildProcess;
  readonly #events: SoundEvents;
  readonly #exited: Promise<void>;
  #phase: 'starting' | 'running' | 'over' = 'starting';
  #settle: ((failure: string | undefined) => void) | undefined;
  #format: SoundFormat | undefined;

  /** `program` is the script that runs the sound host, `services/sound/main`. */
  constructor(program: string, spec: PortAudioSpec, events: SoundEvents) {
    this.#events = events;
    // What PortAudio and ALSA print goes nowhere: it may be 300 000 lines a second.
    const stdio = ['pipe', 'ignore', 'ignore', 'pipe'] as const;
    this.#child = spawn(process.execPath, [...process.execArgv, program, JSON.stringify(spec)], { stdio: [...stdio] });
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
  }

  /** Resolves with what the card agreed to once sound flows, rejects with ResourceError and the reason when it cannot. */
  async start(): Promise<SoundFormat> {
    const reader = new SoundMessageReader();
    this.#messages.on('data', (bytes: Buffer) => reader.receive(bytes, (kind, content) => this.#take(kind, content)));
    this.#frames.on('error', (error) => this.#end(`the sound process does not listen: ${error.message}`));
    this.#child.once('error', (error) => this.#end(`the sound process cannot be started: ${error.message}`));
    // Not at `exit`: the last message may still be in the pipe then.
    this.#child.once('close', (code, signal) => this.#end(`the sound process ended (${signal ?? code})`));
    const tooLate = setTimeout(() => this.#end('the sound card did not start in time'), startWithinMs);
    const failure = await new Promise<string | undefined>((resolve) => {
      this.#settle = resolve;
    });
    clearTimeout(tooLate);
    if (failure === undefined && this.#format) return this.#format;
    this.kill();
    throw new ResourceError(failure ?? 'the sound card did not say how it runs');
  }

  /** Sends one frame for the loudspeaker, copying it. */
  write(frame: Int16Array): void {
    if (this.#phase === 'running') this.#frames.write(Buffer.from(new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength)));
  }

  /** Lets the card play out and the process end; kills it when that takes too long. */
  async stop(): Promise<void> {
    this.#phase = 'over';
    this.#frames.end();
    const killer = setTimeout(() => this.kill(), stopWithinMs);
    let timer: NodeJS.Timeout | undefined;
    // A process in the middle of a system call of a broken driver does not even die by SIGKILL: it is not waited for.
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, stopWithinMs + 500);
    });
    await Promise.race([this.#exited, patience]);
    clearTimeout(killer);
    clearTimeout(timer);
  }

  kill(): void {
    this.#phase = 'over';
    this.#child.kill('SIGKILL');
  }

  get #frames(): Writable {
    return this.#child.stdio[0] as Writable;
  }

  get #messages(): Readable {
    return this.#child.stdio[3] as Readable;
  }

  #take(kind: SoundMessageKind, content: Buffer): void {
    if (this.#phase === 'starting' && kind === 'started') {
      this.#phase = 'running';
      this.#format = decodeFormat(content);
      this.#settle?.(undefined);
    }
    if (kind === 'failed') this.#end(content.toString('utf8'));
    else if (this.#phase === 'running' && kind === 'captured') this.#events.captured(content);
    else if (this.#phase === 'running' && kind === 'taken') this.#events.taken();
  }

  #end(reason: string): void {
    const phase = this.#phase;
    this.#phase = 'over';
    if (phase === 'starting') this.#settle?.(reason);
    if (phase === 'running') this.#events.ended(reason);
  }
}
