import { ElasticBuffer } from '#firmware/audio/elastic-buffer.ts';
import { clamp, LevelMeter } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { pageSound } from '#firmware/contract/page-sound.ts';
import type { SoundReport } from './sound-report.ts';

/** What the browser gives to the code of its audio thread. */
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const fullScale = 32_767;
/** The browser moves so many samples at a time. */
const quantum = 128;
const reportsPerSecond = 10;

/**
 * Runs in the browser's audio thread, at the rate of its sound card, and talks straight to the worker that has the WebSocket: what the page
 * does meanwhile delays nothing.
 *
 *   microphone ─► resampler ─► frames of 20 ms ─► worker        worker ─► elastic buffer ─► resampler ─► loudspeaker
 */
class PageHandset extends AudioWorkletProcessor {
  readonly #down = sampleRate === pageSound.sampleRate ? undefined : new Resampler(sampleRate, pageSound.sampleRate);
  readonly #up = sampleRate === pageSound.sampleRate ? undefined : new Resampler(pageSound.sampleRate, sampleRate);
  readonly #heard = new Int16Array(quantum);
  readonly #converted = new Int16Array(2 * quantum);
  readonly #outgoing = new Int16Array(pageSound.frameSamples);
  readonly #incoming = new ElasticBuffer(pageSound.sampleRate);
  readonly #block = new Int16Array(this.#incoming.blockSamples);
  /** What is ready for the loudspeaker, at its rate. */
  readonly #ready = new Int16Array(Math.ceil(sampleRate / 100) + 2 + quantum);
  readonly #levelIn = new LevelMeter();
  readonly #levelOut = new LevelMeter();
  #outgoingCount = 0;
  #readyCount = 0;
  #sinceReport = 0;
  #worker: MessagePort | undefined;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<MessagePort>) => {
      this.#worker = data;
      data.onmessage = ({ data: frame }: MessageEvent<ArrayBuffer>) => this.#incoming.push(new Int16Array(frame));
    };
  }

  process([input]: Float32Array[][], [output]: Float32Array[][]): boolean {
    const loudspeaker = output?.[0];
    if (loudspeaker) this.#play(loudspeaker);
    this.#hear(input?.[0], loudspeaker?.length ?? quantum);
    this.#sinceReport += quantum;
    if (this.#sinceReport * reportsPerSecond >= sampleRate) this.#report();
    return true;
  }

  /** Without a microphone silence goes out, which shows that the page is there. */
  #hear(microphone: Float32Array | undefined, count: number): void {
    for (let index = 0; index < count; index++) this.#heard[index] = clamp(Math.round((microphone?.[index] ?? 0) * fullScale));
    if (!this.#down) this.#collect(this.#heard, count);
    else this.#collect(this.#converted, this.#down.process(this.#heard, count, this.#converted));
  }

  #collect(samples: Int16Array, count: number): void {
    for (let index = 0; index < count; index++) {
      this.#outgoing[this.#outgoingCount++] = samples[index] ?? 0;
      if (this.#outgoingCount < this.#outgoing.length) continue;
      this.#outgoingCount = 0;
      this.#levelIn.add(this.#outgoing);
      const frame = this.#outgoing.slice().buffer;
      this.#worker?.postMessage(frame, [frame]);
    }
  }

  #play(loudspeaker: Float32Array): void {
    while (this.#readyCount < loudspeaker.length) {
      this.#incoming.pull(this.#block);
      this.#levelOut.add(this.#block);
      const place = this.#ready.subarray(this.#readyCount);
      if (this.#up) this.#readyCount += this.#up.process(this.#block, this.#block.length, place);
      else {
        place.set(this.#block);
        this.#readyCount += this.#block.length;
      }
    }
    for (let index = 0; index < loudspeaker.length; index++) loudspeaker[index] = (this.#ready[index] ?? 0) / fullScale;
    this.#ready.copyWithin(0, loudspeaker.length, this.#readyCount);
    this.#readyCount -= loudspeaker.length;
  }

  #report(): void {
    this.#sinceReport = 0;
    const { waitingMs, underruns } = this.#incoming.describe();
    const report: SoundReport = { levelIn: this.#levelIn.take(), levelOut: this.#levelOut.take(), waitingMs, underruns };
    this.port.postMessage(report);
  }
}

registerProcessor('page-handset', PageHandset);
