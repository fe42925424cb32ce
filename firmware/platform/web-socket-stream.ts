import { isUtf8 } from 'node:buffer';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Flow } from '../sip/transport/flow.ts';
import { plainReason, type SipStream, type SipStreamParts, streamQueueBytes } from './sip-stream.ts';

export interface WebSocketParts extends SipStreamParts {
  /** Of a connection that we opened: what is asked for, without scheme: `sip.example.org:8443/ws`. */
  readonly resource: string;
  /** Of one that came in: who makes a WebSocket of it. */
  readonly door: WebSocketDoor;
}

/** RFC 7118 §4.1. */
const subprotocol = 'sip';
const notWebSocket = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Protocol: sip\r\nContent-Length: 0\r\n\r\n';

/**
 * RFC 7118: a WebSocket over TCP or TLS whose messages, text or binary, are SIP messages, one each.
 *
 *     socket open (and secured) ─► HTTP upgrade with subprotocol sip ─► messages, pings
 */
export class WebSocketStream implements SipStream {
  readonly flow: Flow;
  readonly names = new Set<string>();
  readonly #parts: WebSocketParts;
  #webSocket: WebSocket | undefined;
  /** What waits for the WebSocket to open. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #reason: string | undefined;
  #closed = false;
  #patience: NodeJS.Timeout | undefined;
  #completion: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;
  #pong: NodeJS.Timeout | undefined;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    this.flow = parts.flow;
  }

  start(): void {
    const { socket, opening, openingMs } = this.#parts;
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      this.#reason ??= plainReason(error);
    });
    socket.on('close', () => this.#finish());
    this.#patience = setTimeout(() => this.destroy('no connection in time'), openingMs);
    if (opening) socket.once(opening, () => this.#opened());
    else this.#opened();
  }

  get isOpen(): boolean {
    return !this.#closed && this.#parts.socket.writable;
  }

  write(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#webSocket) this.#send(this.#webSocket, bytes);
    else {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    if ((this.#webSocket?.bufferedAmount ?? this.#waitingBytes) > streamQueueBytes) this.destroy('the far end does not read');
  }

  destroy(reason: string): void {
    if (!this.#closed) this.#reason = reason;
    this.#parts.socket.destroy();
  }

  #opened(): void {
    const objection = this.#parts.judge?.();
    if (objection !== undefined) this.destroy(objection);
    else if (this.#parts.opened) void this.#upgrade();
    else {
      this.#parts.door.take(this.#parts.socket, (webSocket) => {
        webSocket.on('error', (error) => this.#fail(error));
        this.#begin(webSocket);
      });
    }
  }

  /** Asks the far end, which we connected to, for a WebSocket. */
  async #upgrade(): Promise<void> {
    const { socket, flow, resource, messageLimits } = this.#parts;
    // Read when it is needed: most phones never open a WebSocket.
    const { WebSocket } = await import('ws');
    if (this.#closed) return;
    try {
      const webSocket = new WebSocket(`${flow.transport}://${resource}`, [subprotocol], {
        createConnection: () => socket,
        maxPayload: messageLimits.messageBytes,
        perMessageDeflate: false,
      });
      webSocket.on('error', (error) => this.#fail(error));
      webSocket.on('open', () => this.#begin(webSocket));
    } catch (thrown) {
      this.destroy(`WebSocket: ${thrown instanceof Error ? thrown.message : 'no such address'}`);
    }
  }

  #fail(error: Error): void {
    this.#reason ??= `WebSocket: ${plainReason(error)}`;
  }

  #begin(webSocket: WebSocket): void {
    const { socket, opened, pingMs } = this.#parts;
    clearTimeout(this.#patience);
    this.#webSocket = webSocket;
    // Before the WebSocket reads: whatever a chunk completes stops the clock that the chunk has started.
    socket.prependListener('data', () => this.#touched());
    webSocket.on('message', (bytes) => this.#receive(bytes));
    webSocket.on('ping', () => this.#completed());
    webSocket.on('pong', () => this.#completed());
    for (const bytes of this.#waiting.splice(0)) this.#send(webSocket, bytes);
    if (opened) this.#keepAlive = setInterval(() => this.#ping(webSocket), pingMs).unref();
  }

  #touched(): void {
    this.#completion ??= setTimeout(() => this.destroy('a message took too long'), this.#parts.messageMs).unref();
  }

  /** Whatever comes whole shows that the far end is there. */
  #completed(): void {
    clearTimeout(this.#completion);
    clearTimeout(this.#pong);
    this.#completion = undefined;
    this.#pong = undefined;
  }

  /** RFC 7118 §6: every WebSocket answers pings. */
  #ping(webSocket: WebSocket): void {
    webSocket.ping();
    this.#pong ??= setTimeout(() => this.destroy('no answer to keep-alive'), this.#parts.pongMs).unref();
  }

  #receive(data: unknown): void {
    this.#completed();
    if (!(data instanceof Uint8Array)) return;
    if (!isLineEnds(data)) this.#parts.onMessage(this.flow, data);
    else if (data.length === 4) this.write(data.subarray(0, 2));
  }

  /** RFC 7118 §5.2: text when it is UTF-8, else binary. */
  #send(webSocket: WebSocket, bytes: Uint8Array): void {
    webSocket.send(bytes, { binary: !isUtf8(bytes) }, (error) => {
      if (error) this.#fail(error);
    });
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#completed();
    clearTimeout(this.#patience);
    clearInterval(this.#keepAlive);
    this.#parts.onClosed(this, this.#reason);
  }
}

/** Where WebSockets come in: HTTP connections that it is given, of which it takes those that ask for SIP. */
export class WebSocketDoor {
  readonly #messageBytes: number;
  readonly #awaited = new WeakMap<Duplex, (webSocket: WebSocket) => void>();
  #http: Promise<Server> | undefined;

  constructor(messageBytes: number) {
    this.#messageBytes = messageBytes;
  }

  /** `onOpen` is told when the far end has asked for a WebSocket; who asks for anything else is turned away. */
  take(socket: Socket, onOpen: (webSocket: WebSocket) => void): void {
    this.#awaited.set(socket, onOpen);
    this.#http ??= this.#make();
    void this.#http.then((http) => socket.destroyed || http.emit('connection', socket));
  }

  async #make(): Promise<Server> {
    const [{ WebSocketServer }, { createServer }] = await Promise.all([import('ws'), import('node:http')]);
    const options = { noServer: true, clientTracking: false, perMessageDeflate: false, handleProtocols: () => subprotocol };
    const server = new WebSocketServer({ ...options, maxPayload: this.#messageBytes });
    const http = createServer((_request, response) => {
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end();
    });
    http.on('upgrade', (request, socket, head) => {
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      const taken = this.#awaited.get(socket);
      if (taken && offered.includes(subprotocol)) server.handleUpgrade(request, socket, head, taken);
      else socket.end(notWebSocket);
    });
    return http;
  }
}

/** CRLF keep-alive (RFC 5626 §4.4.1), which a WebSocket may carry too: an empty line or the answer to one. */
function isLineEnds(bytes: Uint8Array): boolean {
  return bytes.length <= 4 && bytes.every((byte) => byte === 13 || byte === 10);
}
