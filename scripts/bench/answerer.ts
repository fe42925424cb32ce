import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { silentLogger } from '#firmware/core/logger.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';

/** Longer than any timer that a transaction leaves behind (64·T1, Table 4), ms. */
export const longAfter = 70_000;

const flow: Flow = {
  id: 'bench',
  transport: 'udp',
  reliable: false,
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.11', port: 5060 },
};
const body = {
  contentType: 'application/sdp',
  bytes: new TextEncoder().encode('v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n'),
};
const offer = new TextDecoder().decode(body.bytes);

/** A user agent that takes every call, fed with the bytes of its caller. Time stands still unless told. */
export class Answerer {
  readonly agent = new UserAgent({
    entropy: nodeEntropy,
    logger: silentLogger,
    addresses: { towards: () => ({ address: '192.0.2.1', port: 5060 }) },
    settings: { acceptDirectCalls: true, maximumSessions: 100_000, maximumTransactions: 200_000 },
  });
  now = 0;
  readonly #tags: string[] = [];

  /** INVITE, 200, ACK. */
  call(index: number): void {
    this.#receive('INVITE', index, 1, '', offer);
    const [accepted] = this.#settle();
    const tag = /^To:.*;tag=(\S+)\r$/im.exec(accepted ?? '')?.[1];
    if (!accepted?.startsWith('SIP/2.0 200') || tag === undefined) throw new Error(`the call was not accepted: ${accepted}`);
    this.#tags[index] = tag;
    this.#receive('ACK', index, 1, tag);
    this.#settle();
  }

  info(index: number, sequence: number): void {
    this.#answered('INFO', index, sequence, this.#tags[index] ?? '');
  }

  hangUp(index: number): void {
    this.#answered('BYE', index, 2, this.#tags[index] ?? '');
    delete this.#tags[index];
  }

  options(index: number): void {
    this.#answered('OPTIONS', index, 1, '');
  }

  /** Lets time pass and does what is due on the way. */
  pass(milliseconds: number): void {
    const until = this.now + milliseconds;
    for (let next = this.agent.deadline; next !== undefined && next <= until; next = this.agent.deadline) {
      this.now = Math.max(this.now, next);
      this.agent.handleTimeout(this.now);
      this.#settle();
    }
    this.now = until;
  }

  #answered(method: string, index: number, sequence: number, toTag: string): void {
    this.#receive(method, index, sequence, toTag);
    const [answer] = this.#settle();
    if (!answer?.startsWith('SIP/2.0 200')) throw new Error(`${method} got ${answer}`);
  }

  #receive(method: string, index: number, sequence: number, toTag: string, content = ''): void {
    const lines = [
      `${method} sip:callee@192.0.2.1 SIP/2.0`,
      `Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK${method}${index}x${sequence}`,
      'Max-Forwards: 70',
      `From: <sip:caller@192.0.2.11>;tag=f${index}`,
      `To: <sip:callee@192.0.2.1>${toTag === '' ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${index}@192.0.2.11`,
      `CSeq: ${sequence} ${method}`,
      'Contact: <sip:caller@192.0.2.11:5060>',
      ...(content === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${content.length}`,
    ];
    this.agent.receive(this.now, flow, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${content}`));
  }

  /** Does what the events ask for; gives the texts sent. */
  #settle(): string[] {
    const sent: string[] = [];
    for (let outputs = this.agent.drain(); outputs.length > 0; outputs = this.agent.drain()) {
      for (const output of outputs) {
        if (output.kind === 'transmit') sent.push(Buffer.from(output.bytes).toString('latin1'));
        else if (output.event.type === 'incoming') this.agent.accept(this.now, output.event.session, body);
      }
    }
    return sent;
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) collect();
}

/** Heap and buffers after the rubbish is gone. */
export function liveBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
