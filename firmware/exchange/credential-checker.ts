import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import { type DigestAlgorithm, digestAlgorithms, digestHash } from '#firmware/sip/digest-hash.ts';
import { type AuthValue, formatAuth } from '#firmware/sip/message/auth.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import type { AlgorithmChoice } from './algorithm-choice.ts';
import { type Nonces, sameText } from './nonces.ts';
import type { SourceLimits } from './source-limits.ts';
import type { PasswordProofs, User, UserDirectory } from './user-directory.ts';

/** Who sent the request, or what to ask or tell the sender. */
export type Verdict =
  | { readonly type: 'known'; readonly user: User }
  /** 401 or 407 with these challenges. */
  | { readonly type: 'unknown'; readonly challenges: readonly string[] }
  /** The credentials are no digest credentials at all, or not for this request. */
  | { readonly type: 'malformed' }
  /** Too many wrong passwords came from there: nothing more is tried for now. */
  | { readonly type: 'barred' };

export interface CredentialCheckerParts {
  readonly realm: string;
  readonly algorithms: AlgorithmChoice;
  readonly users: UserDirectory;
  readonly nonces: Nonces;
  /** Wrong passwords by source address. */
  readonly wrongPasswords: SourceLimits;
  readonly counters: Counters;
}

/** Proofs of nobody: an unknown user costs as much time as a wrong password. */
const nobody: PasswordProofs = { 'SHA-256': '', MD5: '' };

/** RFC 7616 digest authentication, the checking side: the strongest algorithm offered first (RFC 8760 §2.3), qop auth. */
export class CredentialChecker {
  readonly #parts: CredentialCheckerParts;

  constructor(parts: CredentialCheckerParts) {
    this.#parts = parts;
  }

  /** Checks the credentials for our realm among `offered`: the Authorization or the Proxy-Authorization of a request from `source`. */
  check(now: Milliseconds, request: Request, offered: readonly AuthValue[], source: string): Verdict {
    const { algorithms, users, nonces, counters, wrongPasswords } = this.#parts;
    const credentials = offered.find((value) => this.isOurs(value));
    if (!credentials) return this.#challenge(now, request, source);
    if (wrongPasswords.isSpent(now, source)) {
      counters.add('source-barred');
      return { type: 'barred' };
    }
    const answer = readAnswer(credentials.params);
    if (!answer || !isMeantFor(answer.uri, request)) {
      counters.add('credentials-malformed');
      return { type: 'malformed' };
    }
    if (!algorithms.allows(answer.algorithm)) return this.#challenge(now, request, source, 'answered');
    const user = users.get(answer.username);
    const right = sameText(answer.response, expectedResponse(user?.proofs ?? nobody, request.method, answer));
    if (!user || !right) {
      counters.add('credentials-wrong');
      wrongPasswords.take(now, source);
      return this.#challenge(now, request, source, 'answered');
    }
    const verdict = nonces.use(now, answer.nonce, answer.count);
    if (verdict === 'fresh') {
      algorithms.succeeded(request, source, answer.algorithm);
      return { type: 'known', user };
    }
    counters.add(verdict === 'stale' ? 'nonce-stale' : 'nonce-replayed');
    return this.#challenge(now, request, source, 'stale');
  }

  /** True for digest credentials of our realm: they are meant for us and go no further (RFC 3261 §22.3). */
  isOurs(value: AuthValue): boolean {
    return value.scheme === 'digest' && value.params.get('realm') === this.#parts.realm;
  }

  #challenge(now: Milliseconds, request: Request, source: string, credentials: 'none' | 'answered' | 'stale' = 'none'): Verdict {
    const nonce = this.#parts.nonces.issue(now);
    const challenges = this.#parts.algorithms.offer(request, source, credentials !== 'none').map((algorithm) => {
      const params = new Map([
        ['realm', this.#parts.realm],
        ['nonce', nonce],
        ['algorithm', algorithm],
        ['qop', 'auth'],
      ]);
      if (credentials === 'stale') params.set('stale', 'true');
      return formatAuth({ scheme: 'digest', params }, 'challenge');
    });
    return { type: 'unknown', challenges };
  }
}

/** RFC 7616 §3.4: the parameters of credentials that we need. */
interface Answer {
  readonly username: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  /** Absent in answers of the old kind (RFC 2069), which have no count and no cnonce either. */
  readonly qop: { readonly nc: string; readonly cnonce: string } | undefined;
  readonly count: number;
}

function readAnswer(params: ReadonlyMap<string, string>): Answer | undefined {
  const [username, nonce, uri, response] = ['username', 'nonce', 'uri', 'response'].map((name) => params.get(name));
  const named = params.get('algorithm')?.toUpperCase() ?? 'MD5';
  const algorithm = digestAlgorithms.find((known) => known === named);
  if (username === undefined || nonce === undefined || uri === undefined || response === undefined || !algorithm) return undefined;
  const plain = { username, nonce, uri, response: response.toLowerCase(), algorithm };
  const qop = params.get('qop')?.toLowerCase();
  if (qop === undefined) return { ...plain, qop: undefined, count: 1 };
  const [nc, cnonce] = [params.get('nc'), params.get('cnonce')];
  if (qop !== 'auth' || nc === undefined || cnonce === undefined) return undefined;
  const count = countOf(nc);
  return count === undefined ? undefined : { ...plain, qop: { nc, cnonce }, count };
}

/** Eight hexadecimal digits, from 1. */
function countOf(nc: string): number | undefined {
  const count = nc.length === 8 ? Number(`0x${nc}`) : Number.NaN;
  return count >= 1 ? count : undefined;
}

function expectedResponse(proofs: PasswordProofs, method: string, answer: Answer): string {
  const { algorithm, nonce, qop, uri } = answer;
  const a2 = digestHash(algorithm, `${method}:${uri}`);
  const middle = qop ? `${nonce}:${qop.nc}:${qop.cnonce}:auth` : nonce;
  return digestHash(algorithm, `${proofs[algorithm]}:${middle}:${a2}`);
}

/**
 * RFC 7616 §3.4.6 wants `uri` to be the Request-URI, but phones in the field leave its user or port away. Since a nonce count is good once,
 * it is enough that the host is the same.
 */
function isMeantFor(text: string, request: Request): boolean {
  const uri = parseUri(text);
  const { requestUri } = request;
  if (uri?.kind === 'sip' && requestUri.kind === 'sip') return uri.host === requestUri.host;
  return text === requestUri.toString();
}
