import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { buildAck, buildCancel, serializeMessage } from '#firmware/sip/message/build.ts';
import { Request, Response } from '#firmware/sip/message/message.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';

/** A response as far as it can be read: the answer to a broken request carries back what was broken. */
export interface Heard {
  readonly statusCode: number;
  /** Of its CSeq; '' when there is none. */
  readonly method: string;
  readonly bytes: Uint8Array;
}

/** What came back: the response that decides, all of them, or nothing at all. */
export interface Reaction {
  /** 0 when nothing came; the first provisional beyond 100 counts, the call is cancelled then. */
  readonly statusCode: number;
  readonly responses: readonly Heard[];
  /** TCP: the far end closed the connection. */
  readonly closed: boolean;
}

const patienceMs = 2_000;
/** What is answered at all is answered long before another request that was sent after it. */
const silenceMs = 60;

/**
 * Somebody on loopback who sends whatever bytes over real sockets. Each of his messages comes from an address of its own in 127/8 and from
 * the port that its Via names, so that an answer is heard wherever RFC 3261 §18.2.2 sends it, and none is taken for that to another message.
 */
export class Stranger {
  readonly #port: number;
  #addresses = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** An address nobody has sent from yet. */
  nextAddress(): string {
    const next = ++this.#addresses;
    return `127.${64 + (process.pid % 128)}.${1 + Math.floor(next / 250)}.${1 + (next % 250)}`;
  }

  /** One datagram; `answered` false when silence is the hope, which an OPTIONS sent behind it proves. */
  async sendDatagram(bytes: Uint8Array, from: string, answered: boolean): Promise<Reaction> {
    const socket = await boundSocket(from, sentByPort(bytes));
    const responses: Heard[] = [];
    let wake: () => void = () => undefined;
    socket.on('message', (message: Buffer) => {
      const response = responseIn(message);
      if (response) responses.push(response);
      wake();
    });
    try {
      socket.send(bytes, this.#port, '127.0.0.1');
      const until = performance.now() + (answered ? patienceMs : silenceMs);
      if (!answered) await this.optionsTookMs();
      while (!decisive(responses) && performance.now() < until) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          setTimeout(resolve, until - performance.now());
        });
      }
      const statusCode = decisive(responses)?.statusCode ?? 0;
      await this.#cleanUp(bytes, responses, (more) => void socket.send(more, this.#port, '127.0.0.1'));
      return { statusCode, responses, closed: false };
    } finally {
      socket.close();
    }
  }

  /** One connection; waits for as many final answers as are hoped for, or for its end. */
  async sendStream(bytes: Uint8Array, from: string, answers: number, withinMs: number = patienceMs): Promise<Reaction> {
    const socket = createConnection({ host: '127.0.0.1', port: this.#port, localAddress: from });
    const responses: Heard[] = [];
    let text = Buffer.alloc(0);
    let closed = false;
    const ended = once(socket, 'close').then(() => {
      closed = true;
    });
    // A reset is one of the ways to close.
    socket.on('error', () => undefined);
    let byThem = true;
    const limit = setTimeout(() => {
      byThem = false;
      socket.destroy();
    }, withinMs);
    const complete = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        text = Buffer.concat([text, chunk]);
        responses.splice(0, responses.length, ...responsesIn(text));
        if (responses.filter(({ statusCode }) => statusCode > 100).length >= answers) resolve();
      });
    });
    socket.write(bytes);
    await Promise.race([complete, ended]);
    const statusCode = decisive(responses)?.statusCode ?? 0;
    if (!closed) await this.#cleanUp(bytes, responses, (more) => void socket.write(more));
    // Where an error ends the connection, the end follows its answer at once.
    if (answers > 0) await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, silenceMs))]);
    clearTimeout(limit);
    byThem &&= closed;
    socket.destroy();
    return { statusCode, responses: [...responses], closed: byThem };
  }

  /** How long an OPTIONS takes to its answer, ms; the best of three. */
  async optionsTookMs(): Promise<number> {
    let best = Number.POSITIVE_INFINITY;
    const socket = await boundSocket('127.0.0.1', 0);
    try {
      for (let attempt = 0; attempt < 3 && best > 50; attempt++) {
        const id = `${process.pid}-${Math.trunc(performance.now() * 1000)}`;
        const lines = [
          `OPTIONS sip:127.0.0.1:${this.#port} SIP/2.0`,
          `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${id};rport`,
          'Max-Forwards: 70',
          'From: <sip:alive@127.0.0.1>;tag=a1',
          `To: <sip:127.0.0.1:${this.#port}>`,
          `Call-ID: ${id}`,
          'CSeq: 1 OPTIONS',
          'Content-Length: 0',
        ];
        const started = performance.now();
        socket.send(`${lines.join('\r\n')}\r\n\r\n`, this.#port, '127.0.0.1');
        const heard = once(socket, 'message').then(([message]) => (message as Buffer).includes(id));
        const inTime = await Promise.race([heard, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), patienceMs))]);
        if (inTime) best = Math.min(best, performance.now() - started);
      }
    } finally {
      socket.close();
    }
    return best;
  }

  /** Cancels what rings and acknowledges what was refused, so that the next message meets an idle phone. */
  async #cleanUp(bytes: Uint8Array, responses: readonly Heard[], send: (bytes: Uint8Array) => void): Promise<void> {
    const parsed = parseMessage(bytes);
    if (!parsed.ok || !(parsed.message instanceof Request) || parsed.message.method !== 'INVITE') return;
    const invite = parsed.message;
    const refusal = () => responses.find(({ statusCode, method }) => statusCode >= 300 && method === 'INVITE');
    if (responses.some(({ statusCode }) => statusCode > 100) && !refusal()) send(serializeMessage(buildCancel(invite)));
    for (let waited = 0; waited < patienceMs && responses.length > 0 && !refusal(); waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const refused = parseMessage(refusal()?.bytes ?? new Uint8Array(0));
    if (refused.ok && refused.message instanceof Response) send(serializeMessage(buildAck(invite, refused.message)));
  }
}

/** Why a message can not be framed on a stream is the framer's matter; this tells whether it has one valid length and a body as long. */
export function hasStreamLength(message: string): boolean {
  const text = message.trimStart();
  const end = text.indexOf('\r\n\r\n');
  const lengths = [...text.slice(0, end).matchAll(/^(?:content-length|l)[ \t]*:[ \t]*(\S*)/gim)].map(([, value]) => value ?? '');
  return end > 0 && lengths.length === 1 && /^\d{1,6}$/.test(lengths[0] ?? '') && text.length - end - 4 >= Number(lengths[0]);
}

function decisive(responses: readonly Heard[]): Heard | undefined {
  return responses.find(({ statusCode }) => statusCode > 100);
}

async function boundSocket(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

/** The port a strict peer answers to: that of the first Via, 5060 when it names none. */
function sentByPort(bytes: Uint8Array): number {
  const via = /^(?:via|v)[ \t]*:\s*sip\s*\/\s*\S+?\s*\/\s*\S+\s+(?:\[[^\]]*\]|[^\s;:,]+)\s*(?::\s*(\d+))?/im.exec(
    Buffer.from(bytes).toString('latin1'),
  );
  const port = Number(via?.[1] ?? 5060);
  return port > 0 && port < 65_536 ? port : 5060;
}

function responseIn(bytes: Buffer): Heard | undefined {
  const text = bytes.toString('latin1');
  const statusCode = /^SIP\/2\.0 (\d{3}) /.exec(text)?.[1];
  const method = /^cseq[ \t]*:.*?(\S+)$/im.exec(text)?.[1] ?? '';
  return statusCode === undefined ? undefined : { statusCode: Number(statusCode), method, bytes };
}

/** Responses tell their length. */
function responsesIn(stream: Buffer): Heard[] {
  const found: Heard[] = [];
  for (let at = 0; ; ) {
    // A pong may stand before it.
    while (stream[at] === 13 || stream[at] === 10) at++;
    const end = stream.indexOf('\r\n\r\n', at);
    if (end < 0) return found;
    const length = Number(/^content-length:\s*(\d+)/im.exec(stream.toString('latin1', at, end))?.[1] ?? 0);
    const response = responseIn(stream.subarray(at, end + 4 + length));
    if (response) found.push(response);
    at = end + 4 + length;
  }
}
