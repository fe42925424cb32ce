import type { ExchangeStatus } from '#firmware/contract/exchange.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { LimitedLog } from '#firmware/core/counters.ts';
import { type Entropy, randomUint32 } from '#firmware/core/entropy.ts';
import type { LegParameters } from '#firmware/media/media-session.ts';
import { parseInfoDigit } from '#firmware/phone/info-digits.ts';
import { type DigitWay, PressFilter } from '#firmware/phone/press-filter.ts';
import { openRtpSocketPair, type PortRange, type RtpSocketPair } from '#firmware/platform/rtp-socket.ts';
import { type AudioFormat, formatsOf, pcma, pcmu, sameEncoding, telephoneEvent } from '#firmware/sdp/audio-format.ts';
import { type LocalAudio, type NegotiatedAudio, OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import { formatSessionDescription, parseSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import type { Body, SessionId } from '#firmware/sip/user-agent-events.ts';
import type { ExtensionMedia } from './extension-media.ts';

export interface ExtensionCallParts {
  readonly session: SessionId;
  readonly extension: string;
  /** The INVITE. */
  readonly request: Request;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly addressTowards: (host: string) => string;
  readonly ports: PortRange;
  readonly log: LimitedLog;
}

const codecs: readonly AudioFormat[] = [pcmu, pcma];
const sdpType = 'application/sdp';
const digitsKept = 64;
const wayNames: Readonly<Record<DigitWay, string>> = { info: 'INFO', rfc4733: 'RFC 4733', sound: 'tones' };

/** One call to an extension: its offer and answer, its sockets, its digits. */
export class ExtensionCall {
  readonly #parts: ExtensionCallParts;
  readonly #offerAnswer: OfferAnswer;
  readonly #presses = new PressFilter();
  readonly #ways = new Set<string>();
  readonly #startedAt: Milliseconds;
  #endedAt: Milliseconds | undefined;
  #media: ExtensionMedia | undefined;
  #sockets: RtpSocketPair | undefined;
  #address = '';
  /** Sound flows from the ACK on: before it the caller does not listen. */
  #confirmed = false;
  #digits = '';

  constructor(parts: ExtensionCallParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.now();
    this.#offerAnswer = new OfferAnswer(startOfferAnswer(String(randomUint32(parts.entropy))));
  }

  get session(): SessionId {
    return this.#parts.session;
  }

  get extension(): string {
    return this.#parts.extension;
  }

  /** Opens a pair of ports for `media`. Throws ResourceError when there is none. */
  async open(media: ExtensionMedia): Promise<void> {
    const { clock, entropy, ports, log, addressTowards, request } = this.#parts;
    const offer = descriptionOf(bodyOf(request));
    this.#media = media;
    this.#address = addressTowards(offer?.connection?.address ?? offer?.media[0]?.connection?.address ?? '');
    this.#sockets = await openRtpSocketPair(
      this.#address,
      ports,
      entropy,
      (rtcp, bytes, address, port) => {
        if (rtcp) media.receiveRtcp(clock.now(), bytes, address, port);
        else media.receiveRtp(clock.now(), bytes, address, port);
        this.#flush();
      },
      (error) => log.warn(clock.now(), 'extension-rtp-error', { reason: error.message }),
    );
  }

  /** The body of the 200: our answer, or our offer when the INVITE had none; `undefined` when the offer is of no use. */
  answer(): Body | undefined {
    return this.reanswer(bodyOf(this.#parts.request));
  }

  /** The same for a later offer. */
  reanswer(offer: Body | undefined): Body | undefined {
    if (!offer || offer.bytes.length === 0) return toBody(this.#offerAnswer.offer(this.#localAudio(codecs)));
    const description = descriptionOf(offer);
    const outcome = description && this.#offerAnswer.answer(description, this.#localAudio(firstOf(description)));
    if (outcome?.outcome !== 'agreed') return undefined;
    this.#agree(outcome.audio);
    return toBody(outcome.answer);
  }

  /** The ACK came; with `body`, the answer to our offer. False when there is nothing to talk by. */
  confirm(body: Body | undefined): boolean {
    this.#confirmed = true;
    const answer = this.#offerAnswer.offerPending ? descriptionOf(body) : undefined;
    const outcome = answer && this.#offerAnswer.applyAnswer(answer);
    if (outcome?.outcome === 'agreed') this.#agree(outcome.audio);
    return this.#offerAnswer.negotiated !== undefined;
  }

  takeInfo(body: Body): void {
    const press = parseInfoDigit(body);
    if (press) this.#takeDigit(press.digit, 'info', body.contentType);
  }

  /** 20 ms have passed; true if a digit came. */
  frame(now: Milliseconds): boolean {
    const media = this.#media;
    if (!media || !this.#confirmed) return false;
    media.frame(now);
    this.#flush();
    const digits = media.drainDigits();
    for (const { digit } of digits) this.#takeDigit(digit, 'rfc4733');
    return digits.length > 0;
  }

  /** True when it has been said all, or when it lasts too long. */
  isOver(now: Milliseconds, longest: Milliseconds): boolean {
    return this.#media?.ended === true || now - this.#startedAt > longest;
  }

  async close(): Promise<void> {
    if (this.#endedAt !== undefined) return;
    const now = this.#parts.clock.now();
    this.#endedAt = now;
    this.#media?.close(now);
    this.#flush();
    await this.#sockets?.close();
  }

  describe(now: Milliseconds): ExchangeStatus['extensionCalls'][number] {
    const { packetsReceived = 0, packetsSent = 0, packetsLost = 0 } = this.#media?.statistics() ?? {};
    return {
      extension: this.extension,
      from: this.#parts.request.from.uri.toString(),
      state: this.#endedAt === undefined ? 'active' : 'ended',
      seconds: ((this.#endedAt ?? now) - this.#startedAt) / 1000,
      digits: this.#digits,
      digitsBy: [...this.#ways].join(', '),
      packetsReceived,
      packetsSent,
      packetsLost,
    };
  }

  #takeDigit(digit: Digit, way: DigitWay, type?: string): void {
    if (!this.#presses.isNew(this.#parts.clock.now(), digit, way)) return;
    this.#digits = (this.#digits + (digit === 'flash' ? '!' : digit)).slice(-digitsKept);
    // Few forms exist; what comes after the type is the sender's and not worth showing.
    if (this.#ways.size < 4)
      this.#ways.add(type === undefined ? wayNames[way] : `${wayNames[way]} ${type.split(';')[0]?.trim().slice(0, 64)}`);
  }

  #agree(audio: NegotiatedAudio): void {
    this.#media?.update(this.#parts.clock.now(), legParametersOf(audio));
  }

  #localAudio(formats: readonly AudioFormat[]): LocalAudio {
    const { rtpPort: port = 0, rtcpPort = 0 } = this.#sockets ?? {};
    return {
      address: this.#address,
      port,
      rtcpPort,
      codecs: formats,
      telephoneEvents: [telephoneEvent],
      comfortNoise: false,
      ptime: 20,
      maxPtime: 60,
      direction: 'sendrecv',
      ice: undefined,
      security: undefined,
      rtcpMux: false,
    };
  }

  #flush(): void {
    for (const { rtcp, bytes, length, address, port } of this.#media?.drain() ?? [])
      this.#sockets?.send(rtcp, bytes, length, address, port);
  }
}

/** One codec alone, so that the caller can't change it in the middle of an echo. */
function firstOf(offer: SessionDescription): readonly AudioFormat[] {
  const offered = offer.media.filter(({ media, port }) => media === 'audio' && port > 0).flatMap(formatsOf);
  const first = offered.find((format) => codecs.some((codec) => sameEncoding(codec, format)));
  return codecs.filter((codec) => first && sameEncoding(codec, first));
}

function bodyOf(request: Request): Body | undefined {
  const contentType = request.header('Content-Type');
  return contentType === undefined ? undefined : { contentType, bytes: request.body };
}

function descriptionOf(body: Body | undefined): SessionDescription | undefined {
  if (body?.contentType.split(';')[0]?.trim().toLowerCase() !== sdpType) return undefined;
  const parsed = parseSessionDescription(body.bytes);
  return parsed.outcome === 'parsed' ? parsed.description : undefined;
}

function toBody(description: SessionDescription): Body {
  return { contentType: sdpType, bytes: new TextEncoder().encode(formatSessionDescription(description)) };
}

function legParametersOf(audio: NegotiatedAudio): LegParameters {
  const [codec] = audio.codecs;
  return {
    remote: { address: audio.remoteAddress, port: audio.remotePort },
    remoteRtcp: { address: audio.remoteRtcpAddress, port: audio.remoteRtcpPort },
    codecs: [{ name: codec.name === 'PCMA' ? 'PCMA' : 'PCMU', send: codec.sendPayloadType, receive: codec.receivePayloadType }],
    ptime: audio.ptime,
    telephoneEvents: audio.telephoneEvents.map(({ sendPayloadType: send, receivePayloadType: receive, clockRate }) => ({
      send,
      receive,
      clockRate,
    })),
    detectDigits: false,
    comfortNoise: false,
    direction: audio.direction,
    symmetric: false,
    rtcpMux: false,
  };
}
