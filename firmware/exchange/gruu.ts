import { digestHash } from '#firmware/sip/digest-hash.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { Binding, LocationService } from './location-service.ts';

/** The addresses of one phone that lead to it, and to no other of its user (RFC 5627 §3). */
export interface Gruus {
  /** Says whose phone it is; the same for ever. */
  readonly publicUri: SipUri;
  /** Says nothing of the user; a new one with every registration, each good until the phone is not registered any more. */
  readonly temporaryUri: SipUri;
}

/** Whom an address with `gr` means: one phone, none that is registered now, or nobody has ever had it. */
export type GruuAim = readonly Binding[] | 'away' | 'unknown';

/** The user part of a temporary GRUU begins with it. */
const prefix = 'tgruu-';
const tokenLength = 32;
/** Temporary ones that are remembered; past it the oldest are forgotten. */
const temporaryAtMost = 20_000;

/** To whom a temporary GRUU was given. */
interface Holder {
  readonly user: string;
  readonly instance: string;
  readonly callId: string;
}

/**
 * RFC 5627 §5: gives out GRUUs at registration, and finds the phone of one. A temporary one is a hash, so nobody learns from it who has it; it is
 * made of what the binding is, so those of the last registrations are good again after a restart.
 */
export class GruuRegister {
  readonly #secret: string;
  readonly #location: LocationService;
  /** By token, the oldest first. */
  readonly #temporary = new Map<string, Holder>();

  constructor(secret: string, location: LocationService) {
    this.#secret = secret;
    this.#location = location;
  }

  /** For a binding whose Contact names its instance; `undefined` for any other. `aor` is as the phone wrote it. */
  giveTo(binding: Binding, aor: SipUri): Gruus | undefined {
    const instance = instanceOf(binding);
    if (instance === undefined) return undefined;
    const { scheme, user, host, port } = aor;
    const publicUri = new SipUri({ scheme, user, host, port, params: new Map([['gr', instance]]) });
    const temporaryUri = new SipUri({
      scheme,
      user: prefix + this.#remember(binding, instance),
      host,
      port,
      params: new Map([['gr', '']]),
    });
    return { publicUri, temporaryUri };
  }

  /** A binding was taken up from the disk. */
  restore(binding: Binding): void {
    const instance = instanceOf(binding);
    if (instance !== undefined) this.#remember(binding, instance);
  }

  /** `undefined` for an address that is no GRUU. `isUser` tells whether there is a user of that name. */
  find({ user = '', params }: SipUri, isUser: boolean): GruuAim | undefined {
    const gr = params.get('gr');
    if (gr === undefined) return undefined;
    const holder = user.startsWith(prefix) ? this.#temporary.get(user.slice(prefix.length)) : undefined;
    if (!holder && (!isUser || gr === '')) return 'unknown';
    const bindings = this.#location.bindingsOf(holder?.user ?? user).filter((binding) => {
      const same = instanceOf(binding) === (holder?.instance ?? gr);
      // §3.1.2: a phone that registered anew has thrown its temporary ones away.
      return same && (holder === undefined || holder.callId === binding.callId);
    });
    return bindings.length > 0 ? bindings : 'away';
  }

  #remember({ user, callId, sequence }: Binding, instance: string): string {
    const text = [this.#secret, user, instance, callId, sequence, this.#secret].join(' ');
    const token = digestHash('SHA-256', text).slice(0, tokenLength);
    const [oldest] = this.#temporary.keys();
    if (this.#temporary.size >= temporaryAtMost && oldest !== undefined) this.#temporary.delete(oldest);
    this.#temporary.set(token, { user, instance, callId });
    return token;
  }
}

/** RFC 5626 §4.1: what stands between the angle brackets. */
function instanceOf({ contact }: Binding): string | undefined {
  const named = contact.params.get('+sip.instance');
  return named?.startsWith('<') && named.endsWith('>') ? named.slice(1, -1).toLowerCase() : undefined;
}
