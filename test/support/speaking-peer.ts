import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { pcmuCodec } from '#firmware/audio/g711.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { type SrtpSuiteName, srtpSuites } from '#firmware/core/srtp-suites.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { rtpHeaderLength, writeRtpHeader } from '#firmware/rtp/packet.ts';
import { protectionAtMost } from '#firmware/rtp/packet-transform.ts';
import { Srtp } from '#firmware/rtp/srtp.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { PacedLoop } from '#hal/audio/frame-pacer.ts';
import { nodeSrtpCiphers } from '#services/media/srtp-ciphers.ts';

const suite: SrtpSuiteName = 'AES_CM_128_HMAC_SHA1_80';
const frameSamples = 160;
const firstSequence = 3000;

/** A far end in the process of a test that calls, speaks a recording over and over in G.711, encrypted or not, and does as it likes with its port. */
export class SpeakingPeer {
  readonly #rtp: Socket;
  readonly #endpoint: SipEndpoint;
  readonly #agent: UserAgent;
  readonly #speech: Int16Array;
  readonly #encoder = pcmuCodec.createEncoder();
  readonly #waiting = new Map<SessionId, (event: UserAgentEvent) => void>();
  readonly #loop: PacedLoop;
  #srtp: Srtp | undefined;
  #session: SessionId = '';
  /** Where the phone listens. */
  #phonePort = 0;
  #spoken = 0;
  /** Of its stream, for those who guess it. */
  readonly ssrc = 0x0f11_77aa;

  private constructor(rtp: Socket, speech: Int16Array) {
    this.#rtp = rtp;
    this.#speech = speech;
    const resolver = new DnsResolver(nodeClock);
    this.#endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: ['127.0.0.1'], port: 0 });
    this.#agent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: this.#endpoint });
    this.#loop = new PacedLoop(nodeClock, 'exact', () => this.#speak());
  }

  static async start(speech: Int16Array): Promise<SpeakingPeer> {
    const rtp = createSocket('udp4').bind(0, '127.0.0.1');
    await once(rtp, 'listening');
    const peer = new SpeakingPeer(rtp, speech);
    await peer.#endpoint.start(peer.#agent, (event) => {
      if ('session' in event) peer.#waiting.get(event.session)?.(event);
    });
    return peer;
  }

  /** The sequence number of its next packet. */
  get sequence(): number {
    return (firstSequence + this.#spoken) & 0xffff;
  }

  get timestamp(): number {
    return (this.#spoken * frameSamples) >>> 0;
  }

  get phonePort(): number {
    return this.#phonePort;
  }

  /** Calls `uri`; resolves once it is accepted and speech goes out. */
  async call(uri: string, encrypted: boolean): Promise<void> {
    const target = parseUri(uri);
    if (!target) throw new Error(`${uri} is no address`);
    const own = randomBytes(srtpSuites[suite].keyLength + srtpSuites[suite].saltLength);
    const body = { contentType: 'application/sdp', bytes: new TextEncoder().encode(this.#offer(encrypted ? own : undefined)) };
    this.#session = this.#endpoint.drive((now) => this.#agent.invite(now, { target, body }));
    const answer = await this.#answer(this.#session);
    this.#phonePort = Number(/^m=audio (\d+) /m.exec(answer)?.[1] ?? 0);
    const key = new RegExp(`^a=crypto:\\d+ ${suite} inline:([\\w+/=]+)`, 'm').exec(answer)?.[1];
    if (encrypted && key === undefined) throw new Error(`not encrypted: ${answer}`);
    if (key !== undefined) {
      const parameters = { suite, sendKey: masterKeyOf(own), receiveKey: masterKeyOf(Buffer.from(key, 'base64')), mkiLength: 0 };
      this.#srtp = new Srtp(parameters, nodeSrtpCiphers);
    }
    this.#loop.start();
  }

  /** Sends what it likes from its own media port. */
  send(bytes: Uint8Array, port: number): void {
    this.#rtp.send(bytes, port, '127.0.0.1');
  }

  async hangUp(): Promise<void> {
    this.#loop.stop();
    this.#endpoint.drive((now) => this.#agent.end(now, this.#session));
    while (!this.#agent.idle) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async stop(): Promise<void> {
    this.#loop.stop();
    this.#rtp.close();
    await this.#endpoint.stop();
  }

  #speak(): void {
    const packet = new Uint8Array(rtpHeaderLength + frameSamples + protectionAtMost);
    writeRtpHeader(packet, this.#spoken === 0, 0, this.sequence, this.timestamp, this.ssrc);
    const from = (this.#spoken++ * frameSamples) % (this.#speech.length - frameSamples);
    const length = rtpHeaderLength + this.#encoder.encode(this.#speech.subarray(from, from + frameSamples), packet, rtpHeaderLength);
    this.send(packet.subarray(0, this.#srtp ? this.#srtp.protectRtp(packet, length) : length), this.#phonePort);
  }

  #offer(key: Buffer | undefined): string {
    const { port } = this.#rtp.address();
    const crypto = key ? `a=crypto:1 ${suite} inline:${key.toString('base64')}\r\n` : '';
    return `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/${key ? 'S' : ''}AVP 0\r\n${crypto}`;
  }

  #answer(session: SessionId): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(session, (event) => {
        if (event.type === 'accepted') resolve(new TextDecoder().decode(event.body?.bytes));
        else if (event.type === 'failed') reject(new Error(`the call failed: ${event.statusCode} ${event.reasonPhrase}`));
      });
    });
  }
}

function masterKeyOf(bytes: Uint8Array) {
  const { keyLength } = srtpSuites[suite];
  return { key: Uint8Array.from(bytes.subarray(0, keyLength)), salt: Uint8Array.from(bytes.subarray(keyLength)) };
}
