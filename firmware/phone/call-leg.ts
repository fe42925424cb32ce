import type { OwnIce } from '#firmware/contract/media.ts';
import type { NegotiatedAudio } from '#firmware/sdp/offer-answer.ts';
import type { CallPlan } from './call-plan.ts';
import type { MediaDesk } from './media-desk.ts';
import type { LocalWish } from './negotiation.ts';
import type { SoundSettings } from './phone-settings.ts';
import { sessionParametersOf } from './session-parameters.ts';

/** What media has for a call. */
export interface LegPorts {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly ice: OwnIce | null;
}

/** The sound of one call: its ports, where the person listens, how it travels and what protects it. */
export class CallLeg {
  readonly #media: MediaDesk;
  readonly #sound: SoundSettings;
  readonly #plan: CallPlan;
  #localAddress: string;
  #ports: LegPorts | undefined;
  #way: string | null = null;
  /** What the handshake of the media ports has agreed on. */
  #suite: string | undefined;
  #device: string | null = null;

  /** `ports` are those of a call that goes on. */
  constructor(media: MediaDesk, sound: SoundSettings, plan: CallPlan, ports: LegPorts | undefined) {
    this.#media = media;
    this.#sound = sound;
    this.#plan = plan;
    this.#localAddress = plan.localAddress;
    this.#ports = ports;
  }

  /** Set once media has them. */
  get ports(): LegPorts | undefined {
    return this.#ports;
  }

  get localAddress(): string {
    return this.#localAddress;
  }

  /** By which kinds of candidates sound travels; `null` = straight, or not yet known. */
  get way(): string | null {
    return this.#way;
  }

  open(): void {
    this.#media.openLeg(this.#plan.id, this.#localAddress, this.#plan.line?.media.ice ?? null);
  }

  /** Goes on with sound that media may have kept. */
  adopt({ rtpPort }: LegPorts): void {
    this.#media.adoptLeg(this.#plan.id, this.#localAddress, rtpPort, this.#plan.line?.media.ice ?? null);
  }

  /** Sound moves to another address of this machine; `ready` follows. */
  moveTo(localAddress: string): void {
    this.#localAddress = localAddress;
    this.#media.moveLeg(this.#plan.id, localAddress);
  }

  ready(ports: LegPorts): LegPorts {
    this.#ports = ports;
    return ports;
  }

  /** A way through NATs was found. */
  connected(way: string): void {
    this.#way = way;
  }

  secured(suite: string): void {
    this.#suite = suite;
  }

  agreed(audio: NegotiatedAudio): void {
    this.#media.updateLeg(this.#plan.id, sessionParametersOf(audio, this.#sound, this.#plan.line?.media.nat ?? false));
  }

  /** Where the person listens, `null` = nowhere. */
  listenAt(device: string | null): void {
    this.#device = device;
  }

  /** Joins it with that device while there is something to hear. */
  connect(audible: boolean): void {
    this.#media.connectLeg(this.#plan.id, audible ? this.#device : null);
  }

  close(): void {
    this.#media.closeLeg(this.#plan.id);
  }

  /** The suite that protects what was agreed on, `DTLS` while the media ports see to it, or `null`. */
  encryptionOf(audio: NegotiatedAudio | undefined): string | null {
    const security = audio?.security;
    if (!security) return null;
    return security.kind === 'sdes' ? security.suite : (this.#suite ?? 'DTLS');
  }

  wish(ports: LegPorts, onHold: boolean): LocalWish {
    return { address: this.#localAddress, ...ports, onHold };
  }
}
