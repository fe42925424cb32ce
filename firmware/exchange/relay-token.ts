import { digestHash } from '#firmware/sip/digest-hash.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import type { Target, Transport } from '#firmware/sip/transport/flow.ts';
import { sameText } from './nonces.ts';

/** Where the two ends of a dialog were when it began; absent for an end whose Contact says it as well. */
export interface DialogEnds {
  readonly caller: Target | undefined;
  readonly callee: Target | undefined;
}

/** Whom a request inside a dialog is for. */
export interface Relay {
  readonly to: 'caller' | 'callee';
  /** Where that end was, when its Contact does not lead there. */
  readonly target: Target | undefined;
}

const macLength = 32;
const prefix = 'relay';
const letters: Readonly<Record<Transport, string>> = { udp: 'u', tcp: 't', tls: 's', ws: 'w', wss: 'x' };
const transports: ReadonlyMap<string, Transport> = new Map([
  ['u', 'udp'],
  ['t', 'tcp'],
  ['s', 'tls'],
  ['w', 'ws'],
  ['x', 'wss'],
]);

/**
 * The user part of our Record-Route URI. It seals Call-ID, the caller's tag, and where phones behind a NAT were, so the exchange relays
 * requests inside the dialogs it set up, and nothing for strangers, without keeping a table of calls: they outlive its restart.
 *
 *     relay-SEAL-CALLER-CALLEE     CALLER, CALLEE: empty, or u or t, port, address: u.49152.192.0.2.7
 */
export class RelayTokens {
  readonly #secret: string;

  /** `secret` must be the same after a restart. */
  constructor(secret: string) {
    this.#secret = secret;
  }

  /** For the INVITE, SUBSCRIBE or REFER that begins a dialog. */
  make(request: Request, ends: DialogEnds): string {
    const places = `${formatPlace(ends.caller)}-${formatPlace(ends.callee)}`;
    return `${prefix}-${this.#seal(request.callId, request.from.tag ?? '', places)}-${places}`;
  }

  /** `undefined` if the token is none of ours, or of another dialog. */
  read(token: string, request: Request): Relay | undefined {
    const [word, seal = '', caller, callee, more] = token.split('-');
    if (word !== prefix || caller === undefined || callee === undefined || more !== undefined) return undefined;
    const places = `${caller}-${callee}`;
    if (sameText(seal, this.#seal(request.callId, request.from.tag ?? '', places))) return { to: 'callee', target: parsePlace(callee) };
    if (sameText(seal, this.#seal(request.callId, request.to.tag ?? '', places))) return { to: 'caller', target: parsePlace(caller) };
    return undefined;
  }

  #seal(callId: string, callerTag: string, places: string): string {
    return digestHash('SHA-256', `${this.#secret} ${callId} ${callerTag} ${places} ${this.#secret}`).slice(0, macLength);
  }
}

function formatPlace(target: Target | undefined): string {
  if (!target) return '';
  return `${letters[target.transport]}.${target.port}.${target.address.replaceAll(':', '_')}`;
}

/** Sealed by ourselves, so it is well formed. */
function parsePlace(text: string): Target | undefined {
  const [transport, port, ...address] = text.split('.');
  if (text === '') return undefined;
  return { transport: transports.get(transport ?? '') ?? 'tcp', port: Number(port), address: address.join('.').replaceAll('_', ':') };
}
