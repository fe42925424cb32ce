import type { PhoneStatus } from '#firmware/contract/phone.ts';

/** The part of a WebSocket the feed uses. */
export interface PageSocket {
  readonly bufferedAmount: number;
  send(text: string): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'close' | 'error' | 'pong', listener: () => void): void;
}

const pagesAtMost = 32;
/** A page that has this much waiting skips snapshots: the next one holds everything. */
const waitingAtMost = 256 * 1024;
const beatMs = 30_000;

/** The open pages. Each gets the snapshot at once and every new one after; pages that fall silent are dropped. */
export class Feed {
  readonly #newest: () => PhoneStatus | undefined;
  readonly #pages = new Map<PageSocket, { alive: boolean }>();

  constructor(newest: () => PhoneStatus | undefined) {
    this.#newest = newest;
  }

  add(socket: PageSocket): void {
    if (this.#pages.size >= pagesAtMost) {
      socket.close(1013, 'too many pages are open');
      return;
    }
    const page = { alive: true };
    this.#pages.set(socket, page);
    socket.on('pong', () => {
      page.alive = true;
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#pages.delete(socket));
    socket.send(textOf(this.#newest()));
  }

  publish(status: PhoneStatus | undefined): void {
    const text = textOf(status);
    for (const socket of this.#pages.keys()) if (socket.bufferedAmount < waitingAtMost) socket.send(text);
  }

  /** Asks every page for a sign of life each 30 s; gives the function that ends it. */
  startBeat(): () => void {
    const beat = setInterval(() => this.#beat(), beatMs);
    return () => clearInterval(beat);
  }

  close(): void {
    for (const socket of this.#pages.keys()) socket.close(1001, 'the web service stops');
  }

  #beat(): void {
    for (const [socket, page] of this.#pages) {
      if (!page.alive) socket.terminate();
      page.alive = false;
      socket.ping();
    }
  }
}

function textOf(status: PhoneStatus | undefined): string {
  return JSON.stringify({ status: status ?? null });
}
