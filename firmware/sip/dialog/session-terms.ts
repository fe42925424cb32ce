import { parseParameterized, parseSeconds } from '../message/header-values.ts';
import type { Message, Request, Response } from '../message/message.ts';
import type { UserAgentSettings } from '../user-agent-settings.ts';

type HeaderLine = readonly [name: string, value: string];

/** What the two ends of a call agreed on: how long it lives without a refresh, in seconds, and who sends that. */
export interface SessionGrant {
  readonly seconds: number;
  readonly weRefresh: boolean;
}

/** RFC 4028 §5: no Min-SE means 90 s, and nobody may ask for less. */
const leastSeconds = 90;
/** Longer than any call; what is beyond it counts as that. */
const secondsAtMost = 1_000_000;
/** Each proxy on the way may raise the interval once; more 422 than that is a loop. */
const raisesAtMost = 4;

const timerOption = 'timer';

/** RFC 4028: the interval one call asks for and grants; raised by each 422. */
export class SessionTerms {
  readonly #ownMinimum: number;
  readonly #wanted: number;
  #minimum: number;
  #raises = 0;

  constructor({ sessionExpires, minimumSessionExpires }: UserAgentSettings) {
    this.#ownMinimum = Math.max(minimumSessionExpires, leastSeconds);
    this.#wanted = sessionExpires;
    this.#minimum = this.#ownMinimum;
  }

  /** RFC 4028 §7.1: for a request of ours, the first one or, with the grant in force, one within the call. */
  requestLines(grant?: SessionGrant): readonly HeaderLine[] {
    if (!grant && this.#wanted === 0) return [];
    const seconds = Math.max(grant?.seconds ?? this.#wanted, this.#minimum);
    const refresher = grant && (grant.weRefresh ? 'uac' : 'uas');
    const minimum: HeaderLine[] = this.#minimum > leastSeconds ? [['Min-SE', String(this.#minimum)]] : [];
    return [['Session-Expires', formatExpires(seconds, refresher)], ...minimum];
  }

  /** RFC 4028 §7.4: takes a 422; true if the request is worth sending again with the longer interval. */
  raise(response: Response): boolean {
    const minimum = secondsIn(response, 'Min-SE');
    if (response.statusCode !== 422 || minimum === undefined || minimum > secondsAtMost || this.#raises >= raisesAtMost) return false;
    this.#raises++;
    this.#minimum = Math.max(minimum, this.#minimum);
    return true;
  }

  /** RFC 4028 §7.2: what their 2xx to a request of ours comes to; `undefined`: the call lives without a timer. */
  granted(response: Response): SessionGrant | undefined {
    const said = expiresOf(response);
    // Who answers less than anybody may grant would have us refresh without end.
    return said && { seconds: Math.max(said.seconds, leastSeconds), weRefresh: said.refresher !== 'uas' };
  }

  /** RFC 4028 §9: what we grant to a request of theirs. One that asks for nothing gets what we want, if it knows the extension. */
  grant(request: Request): SessionGrant | undefined {
    const asked = expiresOf(request);
    const knows = request.supported.includes(timerOption);
    const minimum = Math.max(secondsIn(request, 'Min-SE') ?? leastSeconds, this.#ownMinimum);
    if (!asked) return knows && this.#wanted > 0 ? { seconds: Math.max(this.#wanted, minimum), weRefresh: true } : undefined;
    // A proxy asked for too little on behalf of a peer that would not understand 422.
    if (asked.seconds < this.#ownMinimum) return undefined;
    return { seconds: asked.seconds, weRefresh: !knows || asked.refresher === 'uas' };
  }
}

/** RFC 4028 §9: the lines of the 2xx that grants it. Who is to refresh has to know the extension. */
export function grantLines(grant: SessionGrant | undefined): readonly HeaderLine[] {
  if (!grant) return [];
  const expires = ['Session-Expires', formatExpires(grant.seconds, grant.weRefresh ? 'uas' : 'uac')] as const;
  return grant.weRefresh ? [expires] : [['Require', timerOption], expires];
}

/** RFC 4028 §9: the Min-SE of a 422 to a request that asks for less than we grant; `undefined` when it does not. */
export function tooBriefFor(request: Request, settings: UserAgentSettings): number | undefined {
  const minimum = Math.max(settings.minimumSessionExpires, leastSeconds);
  const asked = expiresOf(request);
  return asked && asked.seconds < minimum && request.supported.includes(timerOption) ? minimum : undefined;
}

function expiresOf(message: Message): { readonly seconds: number; readonly refresher: string | undefined } | undefined {
  const field = message.headers.firstOf('session-expires');
  const value = field && parseParameterized(field.value);
  const seconds = value && parseSeconds(value.value);
  return seconds === undefined
    ? undefined
    : { seconds: Math.min(seconds, secondsAtMost), refresher: value?.params.get('refresher')?.toLowerCase() };
}

function secondsIn(message: Message, name: string): number | undefined {
  const value = parseParameterized(message.header(name) ?? '');
  return value && parseSeconds(value.value);
}

function formatExpires(seconds: number, refresher: 'uac' | 'uas' | undefined): string {
  return refresher ? `${seconds};refresher=${refresher}` : String(seconds);
}
