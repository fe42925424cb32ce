import { type AnsweredAlgorithm, answeredAlgorithms, digestHash } from './digest-hash.ts';
import type { AuthValue } from './message/auth.ts';

/** RFC 7616 §3.4: what a response is computed from. */
export interface DigestInputs {
  readonly algorithm: AnsweredAlgorithm;
  /** True for the `-sess` variants (§3.4.2); they need `qop`. */
  readonly sessionKeyed?: boolean;
  readonly username: string;
  readonly realm: string;
  readonly password: string;
  readonly method: string;
  /** As it stands in the `uri` parameter. */
  readonly uri: string;
  readonly nonce: string;
  /** Absent for servers of RFC 2069. */
  readonly qop?: DigestProtection | undefined;
  /** Needed for `auth-int`. */
  readonly body?: Uint8Array;
}

export interface DigestProtection {
  readonly quality: 'auth' | 'auth-int';
  /** Eight hexadecimal digits. */
  readonly nonceCount: string;
  readonly clientNonce: string;
}

/** RFC 7616 §3.4.1: the `response` parameter, for those who answer a challenge and for those who check an answer. */
export function digestResponse(inputs: DigestInputs): string {
  const { algorithm, qop, nonce } = inputs;
  const hash = (text: string | Uint8Array): string => digestHash(algorithm, text);
  const identity = hash(`${inputs.username}:${inputs.realm}:${inputs.password}`);
  const key = inputs.sessionKeyed ? hash(`${identity}:${nonce}:${qop?.clientNonce ?? ''}`) : identity;
  const protectedBody = qop?.quality === 'auth-int' ? `:${hash(inputs.body ?? new Uint8Array())}` : '';
  const request = hash(`${inputs.method}:${inputs.uri}${protectedBody}`);
  if (!qop) return hash(`${key}:${nonce}:${request}`);
  return hash(`${key}:${nonce}:${qop.nonceCount}:${qop.clientNonce}:${qop.quality}:${request}`);
}

/** A digest challenge that this stack can answer. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: AnsweredAlgorithm;
  readonly sessionKeyed: boolean;
  /** As the challenge wrote it, to be given back; `undefined` when it named none. */
  readonly algorithmToken: string | undefined;
  readonly quality: DigestProtection['quality'] | undefined;
  /** The credentials were right but the nonce too old. */
  readonly stale: boolean;
}

/** The challenges that can be answered, strongest first within each realm (RFC 8760 §2.4). */
export function answerableChallenges(values: readonly AuthValue[]): readonly DigestChallenge[] {
  const challenges = values.map(challengeOf).filter((challenge) => challenge !== undefined);
  return challenges.sort((a, b) => answeredAlgorithms.indexOf(a.algorithm) - answeredAlgorithms.indexOf(b.algorithm));
}

/** `undefined` for other schemes, unknown algorithms, or a quality of protection that is neither `auth` nor `auth-int`. */
function challengeOf({ scheme, params }: AuthValue): DigestChallenge | undefined {
  const realm = params.get('realm');
  const nonce = params.get('nonce');
  if (scheme !== 'digest' || realm === undefined || nonce === undefined) return undefined;
  const algorithmToken = params.get('algorithm');
  const named = (algorithmToken ?? 'MD5').toUpperCase();
  const sessionKeyed = named.endsWith('-SESS');
  const algorithm = answeredAlgorithms.find((known) => known === (sessionKeyed ? named.slice(0, -'-SESS'.length) : named));
  const offered = params
    .get('qop')
    ?.split(',')
    .map((word) => word.trim().toLowerCase());
  const quality = offered?.includes('auth') ? 'auth' : offered?.includes('auth-int') ? 'auth-int' : undefined;
  if (!algorithm || (offered && !quality) || (sessionKeyed && !quality)) return undefined;
  const stale = params.get('stale')?.toLowerCase() === 'true';
  return { realm, nonce, opaque: params.get('opaque'), algorithm, sessionKeyed, algorithmToken, quality, stale };
}
