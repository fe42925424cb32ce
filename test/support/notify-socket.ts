import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

const bindSocket = { family: 1, datagram: 0o2000002, dontWait: 0x40 };
const pollMs = 5;

/** The service manager's end of sd_notify(3): a Unix datagram socket, which Node has not, and what comes there. */
export class NotifySocket {
  /** For NOTIFY_SOCKET. */
  readonly name: string;
  readonly messages: string[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'hs-notify-'));
  readonly #descriptor: number;
  readonly #library = koffi.load(null);
  readonly #poll: NodeJS.Timeout;

  constructor(kind: 'path' | 'abstract') {
    this.name = kind === 'path' ? join(this.#directory, 'notify') : `@${this.#directory}`;
    const bytes = Buffer.from(this.name);
    if (kind === 'abstract') bytes[0] = 0;
    const address = Buffer.concat([Buffer.from(new Uint16Array([bindSocket.family]).buffer), bytes]);
    this.#descriptor = this.#library.func('int socket(int, int, int)')(bindSocket.family, bindSocket.datagram, 0);
    const bound = this.#library.func('int bind(int, const uint8_t *, uint32_t)')(this.#descriptor, address, address.length);
    if (bound !== 0) throw new Error(`cannot bind ${this.name}`);
    const receive = this.#library.func('long recv(int, _Out_ uint8_t *, size_t, int)');
    this.#poll = setInterval(() => {
      const buffer = Buffer.alloc(4096);
      for (let length = 1; length > 0; ) {
        length = receive(this.#descriptor, buffer, buffer.length, bindSocket.dontWait);
        if (length > 0) this.messages.push(buffer.toString('utf8', 0, length));
      }
    }, pollMs);
  }

  /** Waits until a message has this text. */
  async saw(text: string): Promise<string> {
    for (;;) {
      const found = this.messages.find((message) => message.includes(text));
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  close(): void {
    clearInterval(this.#poll);
    this.#library.func('int close(int)')(this.#descriptor);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
