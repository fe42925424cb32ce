import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Flow, Transport } from './flow.ts';
import type { NameAnswer, NameQuestion } from './name-records.ts';

/**
 * Where bytes are to go. The driver sends over `flow` while that is open; else it resolves `host` and uses an open stream to it, opens
 * one, or sends a datagram.
 */
export interface Destination {
  readonly transport: Transport;
  /** An IP address without brackets, or a host name for the driver to resolve. */
  readonly host: string;
  readonly port: number;
  readonly flow?: Flow | undefined;
  /** RFC 3263: what DNS may decide. `transport`: that too, with the host and the port; `service`: these two; absent, the address alone. */
  readonly search?: 'transport' | 'service' | undefined;
  /** The name that led to the address: what a certificate has to prove (RFC 5922). */
  readonly domain?: string | undefined;
  /** Where to go when nothing answers there. */
  readonly otherwise?: Destination | undefined;
  /** RFC 5630: what is sent is about a `sips:` address, so that our own address must be one too. */
  readonly sips?: boolean;
  /** RFC 3323: who is there is not to learn who we are, by our own address neither. */
  readonly isPrivate?: boolean;
}

/** Bytes of one SIP message for the driver to send. */
export interface Transmit {
  readonly kind: 'transmit';
  readonly destination: Destination;
  readonly bytes: Uint8Array;
}

/** Something that happened, for whoever owns the core. */
export interface CoreEvent<Event> {
  readonly kind: 'event';
  readonly event: Event;
}

/** A sans-IO SIP element as its driver sees it: the user agent in the phone, the proxy in the exchange. */
export interface SipCore<Event> {
  /** One datagram, or one message cut from a stream. */
  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void;
  /** What was sent to `destination` could not be delivered, or its flow broke. `reason` is for logs. */
  transportFailed(now: Milliseconds, destination: Destination, reason: string): void;
  /** DNS has answered a question the core asked its name service. */
  named?(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void;
  /** Addresses of this machine have come or gone. */
  networkChanged?(now: Milliseconds): void;
  handleTimeout(now: Milliseconds): void;
  readonly deadline: Milliseconds | undefined;
  drain(): readonly (Transmit | CoreEvent<Event>)[];
}

/** Which local address and port a peer can reach us at; answered at once by the driver. */
export interface LocalAddresses {
  /**
   * `host` is an address or a name; a name nobody has resolved yet gives the address of the default route. Port 0: nobody listens for the
   * transport, so that only connections we opened lead to us.
   */
  towards(host: string, transport: Transport): { readonly address: string; readonly port: number };
}
