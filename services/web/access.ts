import { createHash, timingSafeEqual } from 'node:crypto';

/** What of a request decides whether it may pass. */
export interface RequestFacts {
  /** Source address as the socket sees it. */
  readonly remoteAddress: string;
  /** `Host` header. */
  readonly host: string | undefined;
  /** `Origin` header: browsers send it with every request that changes something and with every WebSocket. */
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  readonly cookie: string | undefined;
}

export type AccessVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly statusCode: 401 | 403 | 429; readonly reason: string };

export const accessCookie = 'hookswitch';

const sourcesAtMost = 1024;
const failuresAtMost = 10;
const failureWindowMs = 60_000;
const allowed: AccessVerdict = { allowed: true };
export const tooManyTries = { allowed: false, statusCode: 429, reason: 'too many wrong tokens, wait a minute' } as const;

/**
 * Who may use the pages and the API. With a token set, whoever has it (bearer or cookie); without one, only the machine itself. Requests a
 * foreign page makes a browser send (cross-site, DNS rebinding) are refused either way.
 */
export class Access {
  readonly #token: string;
  readonly #tries = new TryLimit();

  /** An empty `token` leaves the pages to the machine itself. */
  constructor(token: string) {
    this.#token = token;
  }

  get needsToken(): boolean {
    return this.#token !== '';
  }

  /** May this request pass? `now` in monotonic ms. */
  judge(now: number, request: RequestFacts): AccessVerdict {
    const foreign = foreignPage(request);
    if (foreign) return { allowed: false, statusCode: 403, reason: foreign };
    if (!this.needsToken) return this.#judgeLocal(request);
    const given = bearerOf(request.authorization) ?? cookieOf(request.cookie);
    if (given === undefined) return { allowed: false, statusCode: 401, reason: 'a token is needed: log in, or send Authorization: Bearer' };
    return this.judgeToken(now, request.remoteAddress, given);
  }

  /** Is this the token? Wrong tries are counted per source. */
  judgeToken(now: number, remoteAddress: string, given: string): AccessVerdict {
    if (this.#tries.blocks(now, remoteAddress)) return tooManyTries;
    if (this.needsToken && equalSecrets(given, this.#token)) return allowed;
    this.#tries.countFailure(now, remoteAddress);
    return { allowed: false, statusCode: 401, reason: 'wrong token' };
  }

  #judgeLocal(request: RequestFacts): AccessVerdict {
    if (!isLoopback(request.remoteAddress))
      return {
        allowed: false,
        statusCode: 403,
        reason: 'no web.token is set: the page is open to this machine only (hookswitch config set web.token …)',
      };
    if (!isLoopbackName(hostName(request.host)))
      return { allowed: false, statusCode: 403, reason: 'without a web.token the page answers to the name localhost only' };
    return allowed;
  }
}

/** Wrong tries per source address: past ten in a minute none is looked at. At most a thousand sources are remembered. */
export class TryLimit {
  readonly #failures = new Map<string, { count: number; until: number }>();

  /** Is this source to wait? `now` in monotonic ms. */
  blocks(now: number, source: string): boolean {
    const failures = this.#failures.get(source);
    return failures !== undefined && failures.until > now && failures.count >= failuresAtMost;
  }

  countFailure(now: number, source: string): void {
    if (this.#failures.size >= sourcesAtMost) {
      for (const [known, failure] of this.#failures) if (failure.until <= now) this.#failures.delete(known);
      if (this.#failures.size >= sourcesAtMost) this.#failures.clear();
    }
    const known = this.#failures.get(source);
    const count = known && known.until > now ? known.count + 1 : 1;
    this.#failures.set(source, { count, until: now + failureWindowMs });
  }
}

/** Compares without telling by its duration how much was right. */
function equalSecrets(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** A page of another site sends its own origin: the reason to refuse, or `undefined`. */
function foreignPage({ host, origin }: RequestFacts): string | undefined {
  if (origin === undefined) return undefined;
  const at = origin.indexOf('://');
  if (at >= 0 && host !== undefined && origin.slice(at + 3).toLowerCase() === host.toLowerCase()) return undefined;
  return 'requests from pages of another site are refused';
}

/** The token of `Authorization: Bearer …`. */
export function bearerOf(authorization: string | undefined): string | undefined {
  const prefix = 'bearer ';
  if (!authorization?.toLowerCase().startsWith(prefix)) return undefined;
  return authorization.slice(prefix.length).trim();
}

function cookieOf(cookie: string | undefined): string | undefined {
  for (const pair of cookie?.split(';') ?? []) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === accessCookie) return decodeCookie(pair.slice(equals + 1).trim());
  }
  return undefined;
}

function decodeCookie(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined; // not ours: we only set what decodes
  }
}

function hostName(host: string | undefined): string {
  if (!host) return '';
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.lastIndexOf(':');
  return (end > 0 ? host.slice(0, end) : host).toLowerCase();
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || isLoopback(name);
}

/** 127/8 or ::1, also as IPv4 mapped into IPv6. */
function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (plain === '::1') return true;
  const parts = plain.split('.');
  return parts.length === 4 && parts[0] === '127' && parts.every((part) => /^\d{1,3}$/.test(part));
}
