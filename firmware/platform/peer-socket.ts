import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { Counters, type LimitedLog } from '../core/counters.ts';
import type { Peer, PeerOutput } from '../ipc/peer.ts';

/** What both ends of a contract need to drive a peer over a socket. */
export interface PeerSocketParts {
  readonly socket: Socket;
  readonly peer: Peer;
  readonly clock: Clock;
  readonly log: LimitedLog;
  /** Bytes that may wait for a slow reader before it is dropped. */
  readonly queueBytes: number;
  /** Takes what the peer hands out, `send` and `close` aside. */
  readonly onOutput: (output: Exclude<PeerOutput, { kind: 'send' | 'close' }>) => void;
  /** Called exactly once, with the reason in plain words. */
  readonly onClosed: (reason: string) => void;
}

/** How long the last lines of a link that is closed may take to be read, ms. */
const farewellMs = 1000;

/** The one driver of a peer: after every input it drains all outputs and arms one timer. */
export class PeerSocket {
  readonly #parts: PeerSocketParts;
  readonly #counters = new Counters();
  #timer: NodeJS.Timeout | undefined;
  #reason = 'the other side closed the socket';
  #closed = false;
  #draining = false;

  constructor(parts: PeerSocketParts) {
    this.#parts = parts;
  }

  start(): void {
    const { socket, peer, clock } = this.#parts;
    socket.on('data', (bytes) => {
      peer.receive(bytes);
      this.pump();
    });
    socket.on('error', (error) => {
      this.#reason = error.message;
    });
    socket.on('close', () => this.#finish());
    peer.start(clock.now());
    this.pump();
  }

  /** Does what the peer wants done, until it wants nothing. */
  pump(): void {
    if (this.#draining) return;
    this.#draining = true;
    const { peer } = this.#parts;
    try {
      for (let outputs = peer.drain(); outputs.length > 0; outputs = peer.drain()) for (const output of outputs) this.#do(output);
    } finally {
      this.#draining = false;
    }
    this.#arm();
  }

  /** Lets what was written be read, then closes. */
  end(reason: string): void {
    if (this.#closed) return;
    this.#reason = reason;
    const { socket } = this.#parts;
    socket.end();
    setTimeout(() => socket.destroy(), farewellMs).unref();
  }

  describe(): object {
    const { peer, socket } = this.#parts;
    return { ...peer.describe(), queuedBytes: socket.writableLength, socket: this.#counters.describe() };
  }

  #do(output: PeerOutput): void {
    const { log, clock, onOutput } = this.#parts;
    if (output.kind === 'send') this.#write(output.bytes);
    else if (output.kind === 'close') {
      log.warn(clock.now(), 'ipc-refused', { code: output.complaint.code, reason: output.complaint.message });
      this.end(output.complaint.message);
    } else onOutput(output);
  }

  #write(bytes: Uint8Array): void {
    const { socket, queueBytes, log, clock } = this.#parts;
    if (!socket.writable) return;
    socket.write(bytes);
    if (socket.writableLength <= queueBytes) return;
    this.#counters.add('slow-reader');
    log.warn(clock.now(), 'ipc-slow-reader', { queuedBytes: socket.writableLength });
    this.#reason = 'too slow to read what was sent to it';
    socket.destroy();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const { peer, clock } = this.#parts;
    if (this.#closed || peer.deadline === undefined) return;
    this.#timer = setTimeout(
      () => {
        peer.handleTimeout(clock.now());
        this.pump();
      },
      Math.max(0, Math.ceil(peer.deadline - clock.now())),
    );
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.peer.lost();
    this.pump();
    this.#parts.onClosed(this.#reason);
  }
}
