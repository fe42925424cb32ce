import { createServer, type Server, type Socket } from 'node:net';
import { pageSound } from '#firmware/contract/page-sound.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { listenOn } from '#firmware/platform/socket-path.ts';
import { PageDevice } from '#hal/audio/page-device.ts';
import { FrameReader } from '#hal/audio/sound-messages.ts';
import type { DeviceSet } from './device-set.ts';

/** What a page hears is a page's: it takes the place of the handset. */
const role = 'handset';
/** Sound on its way to a reader that does not read, bytes: half a second. */
const waitingAtMost = 25 * pageSound.frameBytes;
/** Those who have not greeted yet among them. */
const connectionsAtMost = 8;
const greetingWithinMs = 5_000;

/**
 * Where web brings the sound of the page that has it. One at a time: a second connection ends the first. When it ends, for whatever reason,
 * the configured device is back in its role within the same turn, and calls go on.
 */
export class PageSoundPort {
  readonly #devices: DeviceSet;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #log: LimitedLog;
  readonly #listener: Server;
  readonly #open = new Set<Socket>();
  /** Who has the place of the handset. */
  #current: { readonly socket: Socket; readonly device: PageDevice } | undefined;

  constructor(devices: DeviceSet, clock: Clock, logger: Logger) {
    this.#devices = devices;
    this.#clock = clock;
    this.#logger = logger;
    this.#log = new LimitedLog(logger);
    this.#listener = createServer((socket) => this.#accept(socket));
  }

  async listen(path: string): Promise<void> {
    await listenOn(this.#listener, path);
    this.#listener.on('error', (error) => this.#log.warn(this.#clock.now(), 'page-sound-accept-failed', { reason: error.message }));
  }

  async stop(): Promise<void> {
    if (!this.#listener.listening) return;
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#open.size >= connectionsAtMost) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    const device = new PageDevice(this.#clock, (frame) => send(socket, frame));
    const frame = new Int16Array(pageSound.frameSamples);
    const octets = new Uint8Array(frame.buffer);
    const reader = new FrameReader(pageSound.frameBytes);
    const greeting = new Greeting();
    socket.setTimeout(greetingWithinMs, () => socket.destroy());
    socket.on('error', (error) => this.#log.warn(this.#clock.now(), 'page-sound-broken', { reason: error.message }));
    socket.on('close', () => this.#gone(socket));
    socket.on('data', (bytes) => {
      const rest = greeting.receive(bytes);
      if (rest === 'wrong') socket.destroy();
      else if (rest === 'complete') void this.#begin(socket, device);
      else if (rest) {
        reader.receive(rest, (octetsOfFrame) => {
          octets.set(octetsOfFrame);
          device.receive(frame);
        });
      }
    });
  }

  async #begin(socket: Socket, device: PageDevice): Promise<void> {
    socket.setTimeout(0);
    const before = this.#current;
    this.#current = { socket, device };
    before?.socket.destroy();
    try {
      await this.#devices.lend(role, device);
      socket.write(pageSound.greeting);
      this.#logger.info('page-has-sound', {});
    } catch (thrown) {
      this.#log.warn(this.#clock.now(), 'page-sound-refused', { reason: messageOf(thrown) });
      socket.destroy();
    }
  }

  #gone(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#current?.socket !== socket) return;
    const { device } = this.#current;
    this.#current = undefined;
    this.#devices.giveBack(role, device);
    this.#logger.info('page-sound-over', { ...device.describe().page });
  }
}

/** The first bytes of a connection: those of another version, or of somebody else, end it. */
class Greeting {
  #seen = '';

  /** `complete` once, `wrong` when it is another; afterwards what comes is given back. Nobody sends more before the answer. */
  receive(bytes: Buffer): 'complete' | 'wrong' | Buffer | undefined {
    if (this.#seen === pageSound.greeting) return bytes;
    this.#seen += bytes.toString('latin1');
    if (this.#seen === pageSound.greeting) return 'complete';
    return pageSound.greeting.startsWith(this.#seen) ? undefined : 'wrong';
  }
}

function send(socket: Socket, frame: Int16Array): boolean {
  if (!socket.writable || socket.writableLength > waitingAtMost) return false;
  socket.write(Buffer.from(new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength)));
  return true;
}
