import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { CoreEvent, Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { Exchange, ExchangeEvent } from './exchange.ts';
import { extensionHost, flowToExchange, flowToExtensions } from './extensions.ts';

export type HostEvent =
  | { readonly from: 'exchange'; readonly event: ExchangeEvent }
  | { readonly from: 'extensions'; readonly event: UserAgentEvent };

/**
 * The exchange with a user agent behind it that answers its own extensions, as one core on one set of sockets. The two speak SIP over a wire
 * that exists only here, so an extension is called, and ends its calls, like any phone.
 *
 *     sockets ◄──► exchange ◄── flowToExtensions │ flowToExchange ──► user agent
 */
export class ExchangeHost implements SipCore<HostEvent> {
  readonly #exchange: Exchange;
  readonly #userAgent: UserAgent;
  #outputs: (Transmit | CoreEvent<HostEvent>)[] = [];

  constructor(exchange: Exchange, userAgent: UserAgent) {
    this.#exchange = exchange;
    this.#userAgent = userAgent;
  }

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    this.#exchange.receive(now, flow, bytes);
    this.#settle(now);
  }

  transportFailed(now: Milliseconds, destination: Destination): void {
    this.#exchange.transportFailed(now, destination);
    this.#settle(now);
  }

  handleTimeout(now: Milliseconds): void {
    this.#exchange.handleTimeout(now);
    this.#userAgent.handleTimeout(now);
    this.#settle(now);
  }

  get deadline(): Milliseconds | undefined {
    const [exchange, userAgent] = [this.#exchange.deadline, this.#userAgent.deadline];
    if (exchange === undefined || userAgent === undefined) return exchange ?? userAgent;
    return Math.min(exchange, userAgent);
  }

  drain(): (Transmit | CoreEvent<HostEvent>)[] {
    const outputs = this.#outputs;
    if (outputs.length > 0) this.#outputs = [];
    return outputs;
  }

  /** Anything else that is to be done with either; what comes of it is handed on. */
  use<T>(now: Milliseconds, work: (exchange: Exchange, userAgent: UserAgent) => T): T {
    try {
      return work(this.#exchange, this.#userAgent);
    } finally {
      this.#settle(now);
    }
  }

  /** Carries messages over the wire until both ends are quiet. */
  #settle(now: Milliseconds): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const output of this.#exchange.drain()) {
        busy = true;
        if (output.kind === 'event') this.#outputs.push({ kind: 'event', event: { from: 'exchange', event: output.event } });
        else if (output.destination.host === extensionHost) this.#userAgent.receive(now, flowToExchange, output.bytes);
        else this.#outputs.push(output);
      }
      for (const output of this.#userAgent.drain()) {
        busy = true;
        if (output.kind === 'event') this.#outputs.push({ kind: 'event', event: { from: 'extensions', event: output.event } });
        else this.#exchange.receive(now, flowToExtensions, output.bytes);
      }
    }
  }
}
