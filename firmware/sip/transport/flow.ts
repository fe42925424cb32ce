/** The transports a SIP message may travel by; `tls`, `ws` and `wss` are streams like `tcp`. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

/** An IP address (IPv6 without brackets) and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** RFC 5626: one UDP 5-tuple or one TCP, TLS or WebSocket connection over which messages come and go. */
export interface Flow {
  /** Opaque and unique among the flows of this process, also after one has closed. */
  readonly id: string;
  readonly transport: Transport;
  /** True if the transport delivers or says that it failed: everything but UDP. */
  readonly reliable: boolean;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/**
 * Where a message is to go. The transport layer sends it over `flow` while that is open, else it opens (or, for UDP, simply uses) a flow to
 * `address` and `port`.
 */
export interface Target extends Endpoint {
  readonly transport: Transport;
  readonly flow?: Flow | undefined;
  /** The name that led to the address, when it was one: what a certificate has to prove. */
  readonly domain?: string | undefined;
}

export function isReliable(transport: Transport): boolean {
  return transport !== 'udp';
}

/** Where a server listens that says nothing else. */
export function defaultPortOf(transport: Transport): number {
  return { udp: 5060, tcp: 5060, tls: 5061, ws: 80, wss: 443 }[transport];
}

/** RFC 5630: whether nobody on the way reads along or takes the place of the far end. */
export function isSecure(transport: Transport): boolean {
  return transport === 'tls' || transport === 'wss';
}

/** RFC 7118. */
export function isWebSocket(transport: Transport): boolean {
  return transport === 'ws' || transport === 'wss';
}

/** The way back along a flow. */
export function targetOf(flow: Flow): Target {
  return { transport: flow.transport, address: flow.remote.address, port: flow.remote.port, flow };
}
