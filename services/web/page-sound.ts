import { pageSound, pageSoundClosings } from '#firmware/contract/page-sound.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import type { Logger } from '#firmware/core/logger.ts';

/** The part of a page's WebSocket that carries sound. */
export interface SoundSocket {
  readonly bufferedAmount: number;
  send(message: string | Uint8Array): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (bytes: Buffer, isBinary: boolean) => void): void;
  on(event: 'close' | 'error', listener: () => void): void;
}

/** The way to the media daemon for the sound of one page. */
export interface SoundLine {
  /** One frame of the page's microphone. */
  send(frame: Uint8Array): void;
  end(): void;
}

/** Opens a line: `begun` once the page has the sound, frames for its loudspeaker, and its end, exactly once. */
export type OpenSoundLine = (events: { begun(): void; frame(frame: Uint8Array): void; ended(reason: string): void }) => SoundLine;

export interface PageSoundParts {
  /** The setting `web.sound`. */
  readonly allowed: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly openLine: OpenSoundLine;
}

/** A page that has this much of its sound waiting misses frames, bytes: half a second. */
const waitingAtMost = 25 * pageSound.frameBytes;
/** A page sends 50 frames a second; what a browser held back for a moment may come at once. */
const framesPerSecond = 55;
const burst = 50;
/** So many wrong messages are passed over in all. */
const wrongAtMost = 50;
/** A page that sends no frame for this long is gone, whatever its socket says: the telephone gets its handset back. */
const silenceMs: Milliseconds = 4_000;
const lookEveryMs: Milliseconds = 1_000;
const tryAgainLater = 1013;

/** Who asks for the sound. */
export interface SoundRequest {
  /** Its address. */
  readonly from: string;
  /** What it calls itself: a page that comes back before its old connection is known to be dead interrupts itself only. */
  readonly page: string;
  /** Another page that has the sound is to be interrupted. */
  readonly takeOver: boolean;
}

/** The page that has the sound. */
interface Holder {
  readonly socket: SoundSocket;
  readonly from: string;
  readonly page: string;
  line: SoundLine | undefined;
  watch: NodeJS.Timeout | undefined;
  /** Frames it may still send now, and when that was worked out. */
  credit: number;
  creditAt: Milliseconds;
  lastFrame: Milliseconds;
  wrong: number;
}

/** The one page whose microphone and loudspeaker are the handset's, and what it may send. Nothing is open while no page has asked. */
export class PageSound {
  readonly #parts: PageSoundParts;
  readonly #log: LimitedLog;
  readonly #counters = new Counters();
  #holder: Holder | undefined;

  constructor(parts: PageSoundParts) {
    this.#parts = parts;
    this.#log = new LimitedLog(parts.logger);
  }

  /** A page asks for the sound; it has it once it is sent `{"on":true}`. One that has it is interrupted only by `takeOver`. */
  add(socket: SoundSocket, { from, page, takeOver }: SoundRequest): void {
    socket.on('error', () => socket.terminate());
    const isBack = page !== '' && page === this.#holder?.page;
    if (!this.#parts.allowed) {
      socket.close(pageSoundClosings.forbidden, 'the setting web.sound forbids it');
      return;
    }
    if (this.#holder && !takeOver && !isBack) {
      socket.close(pageSoundClosings.taken, 'another page has the sound');
      return;
    }
    this.#holder?.socket.close(pageSoundClosings.takenOver, 'another page has taken the sound');
    this.#release(this.#holder);
    const now = this.#parts.clock.now();
    const holder: Holder = {
      socket,
      from,
      page,
      line: undefined,
      watch: undefined,
      credit: burst,
      creditAt: now,
      lastFrame: now,
      wrong: 0,
    };
    this.#holder = holder;
    socket.on('message', (bytes, isBinary) => this.#take(holder, bytes, isBinary));
    socket.on('close', () => this.#release(holder));
    holder.watch = setInterval(() => this.#look(holder), lookEveryMs);
    holder.line = this.#parts.openLine({
      begun: () => socket.send('{"on":true}'),
      frame: (frame) => this.#play(holder, frame),
      ended: (reason) => {
        if (this.#holder === holder) socket.close(tryAgainLater, reason);
        this.#release(holder);
      },
    });
  }

  close(): void {
    this.#holder?.socket.close(1001, 'the web service stops');
    this.#release(this.#holder);
  }

  describe() {
    return { allowed: this.#parts.allowed, page: this.#holder?.from ?? null, counters: this.#counters.describe() };
  }

  #take(holder: Holder, bytes: Buffer, isBinary: boolean): void {
    if (this.#holder !== holder) return;
    const now = this.#parts.clock.now();
    if (!isBinary || bytes.length !== pageSound.frameBytes) {
      this.#refuse(now, holder, isBinary ? bytes.length : undefined);
      return;
    }
    holder.lastFrame = now;
    holder.credit = Math.min(burst, holder.credit + ((now - holder.creditAt) * framesPerSecond) / 1000);
    holder.creditAt = now;
    if (holder.credit < 1) {
      this.#counters.add('frames-too-many');
      this.#log.warn(now, 'page-sound-too-fast', { from: holder.from, dropped: this.#counters.get('frames-too-many') });
      return;
    }
    holder.credit--;
    this.#counters.add('frames-in');
    holder.line?.send(bytes);
  }

  #refuse(now: Milliseconds, holder: Holder, bytes: number | undefined): void {
    this.#counters.add('messages-wrong');
    this.#log.warn(now, 'page-sound-wrong', { from: holder.from, message: bytes === undefined ? 'text' : `${bytes} bytes` });
    if (++holder.wrong <= wrongAtMost) return;
    holder.socket.close(pageSoundClosings.noSound, 'this is no sound');
    this.#release(holder);
  }

  #play(holder: Holder, frame: Uint8Array): void {
    if (this.#holder !== holder) return;
    if (holder.socket.bufferedAmount > waitingAtMost) {
      this.#counters.add('frames-not-read');
      this.#log.warn(this.#parts.clock.now(), 'page-sound-not-read', { from: holder.from });
      return;
    }
    this.#counters.add('frames-out');
    holder.socket.send(frame);
  }

  #look(holder: Holder): void {
    if (this.#parts.clock.now() - holder.lastFrame < silenceMs) return;
    this.#log.warn(this.#parts.clock.now(), 'page-sound-silent', { from: holder.from });
    holder.socket.terminate();
    this.#release(holder);
  }

  #release(holder: Holder | undefined): void {
    if (!holder || this.#holder !== holder) return;
    this.#holder = undefined;
    clearInterval(holder.watch);
    holder.line?.end();
  }
}
