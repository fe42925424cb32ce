import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import type { Credentials } from './account.ts';
import { answerableChallenges, type DigestChallenge, type DigestProtection, digestResponse } from './digest.ts';
import { formatAuth, parseAuthParams } from './message/auth.ts';
import type { Request, Response } from './message/message.ts';

/** RFC 3261 §22.2 and §22.3: who asked. */
type Asker = 'server' | 'proxy';

/** What a challenge means for a request. `rejected`: the credentials were tried and found wrong. */
export type ChallengeOutcome = 'answered' | 'rejected' | 'unanswerable';

/** How often one request was sent again for each realm that asked, over all its challenges. */
export type AuthenticationTries = Map<string, number>;

interface Space {
  challenge: DigestChallenge;
  readonly asker: Asker;
  readonly clientNonce: string;
  /** Requests that have used this nonce. */
  uses: number;
}

const headerOf = { server: 'Authorization', proxy: 'Proxy-Authorization' } as const;
/** RFC 3261 §22.2: what has just been rejected is not to be sent again; a stale nonce gets one more. */
const triesAtMost = 2;
const spacesAtMost = 16;

/**
 * Digest credentials of one account: remembers the challenge of each realm, so that later requests carry credentials at once with the
 * next nonce count. Challenges to REGISTER and to other requests are kept apart, since they come from different servers.
 */
export class Authenticator {
  readonly #entropy: Entropy;
  readonly #credentials: Credentials;
  readonly #spaces = new Map<string, Space>();

  constructor(entropy: Entropy, credentials: Credentials) {
    this.#entropy = entropy;
    this.#credentials = credentials;
  }

  /** The request with credentials for every realm that has asked for them before. */
  authorize(request: Request): Request {
    const scope = scopeOf(request.method);
    let headers = request.headers.without(headerOf.server).without(headerOf.proxy);
    for (const [key, space] of this.#spaces) {
      if (key.startsWith(scope)) headers = headers.append(headerOf[space.asker], this.#credentialsFor(space, request));
    }
    return request.with({ headers });
  }

  /** Takes a 401 or 407. `answered`: send the request again through `authorize`. `trusts` says which realms may have our credentials. */
  challenged(request: Request, response: Response, tries: AuthenticationTries, trusts: (realm: string) => boolean): ChallengeOutcome {
    const asker = response.statusCode === 401 ? 'server' : 'proxy';
    const values = asker === 'server' ? response.authenticate : response.proxyAuthenticate;
    const challenges = answerableChallenges(values).filter(({ realm }) => trusts(realm));
    const realms = new Set<string>();
    let outcome: ChallengeOutcome = 'unanswerable';
    for (const challenge of challenges) {
      if (realms.has(challenge.realm)) continue;
      realms.add(challenge.realm);
      if (!mayTry(tries, asker, challenge)) {
        this.#forget(scopeOf(request.method));
        return 'rejected';
      }
      this.#learn(scopeOf(request.method), asker, challenge);
      outcome = 'answered';
    }
    return outcome;
  }

  /** RFC 7616 §3.5: a success may bring the nonce for the next request. */
  succeeded(request: Request, response: Response): void {
    this.#renew(request, 'server', response.header('Authentication-Info'));
    this.#renew(request, 'proxy', response.header('Proxy-Authentication-Info'));
  }

  #learn(scope: string, asker: Asker, challenge: DigestChallenge): void {
    const key = `${scope} ${asker} ${challenge.realm}`;
    this.#spaces.delete(key);
    const oldest = this.#spaces.keys().next();
    if (this.#spaces.size >= spacesAtMost && !oldest.done) this.#spaces.delete(oldest.value);
    this.#spaces.set(key, { challenge, asker, clientNonce: randomToken(this.#entropy, 16), uses: 0 });
  }

  /** What has just been refused is not offered unasked again. */
  #forget(scope: string): void {
    for (const key of [...this.#spaces.keys()]) if (key.startsWith(scope)) this.#spaces.delete(key);
  }

  #renew(request: Request, asker: Asker, text: string | undefined): void {
    const nextNonce = text === undefined ? undefined : parseAuthParams(text)?.get('nextnonce');
    if (!nextNonce) return;
    const used = asker === 'server' ? request.authorization : request.proxyAuthorization;
    for (const [key, space] of this.#spaces) {
      const mine = key.startsWith(`${scopeOf(request.method)} ${asker}`);
      if (!mine || !used.some(({ params }) => params.get('nonce') === space.challenge.nonce)) continue;
      space.challenge = { ...space.challenge, nonce: nextNonce };
      space.uses = 0;
    }
  }

  #credentialsFor(space: Space, request: Request): string {
    const { challenge, clientNonce } = space;
    const { username, password } = this.#credentials;
    const { realm, nonce, opaque, algorithm, sessionKeyed, algorithmToken, quality } = challenge;
    const nonceCount = (++space.uses).toString(16).padStart(8, '0');
    const qop: DigestProtection | undefined = quality && { quality, nonceCount, clientNonce };
    const uri = request.requestUri.toString();
    const { method, body } = request;
    const response = digestResponse({ algorithm, sessionKeyed, username, realm, password, method, uri, nonce, qop, body });
    const params = new Map([
      ['username', username],
      ['realm', realm],
      ['nonce', nonce],
      ['uri', uri],
      ['response', response],
    ]);
    if (algorithmToken !== undefined) params.set('algorithm', algorithmToken);
    if (qop) params.set('qop', qop.quality).set('nc', nonceCount).set('cnonce', clientNonce);
    if (opaque !== undefined) params.set('opaque', opaque);
    return formatAuth({ scheme: 'digest', params }, 'credentials');
  }
}

/** Counts the try when it is allowed. */
function mayTry(tries: AuthenticationTries, asker: Asker, challenge: DigestChallenge): boolean {
  const key = `${asker} ${challenge.realm}`;
  const before = tries.get(key) ?? 0;
  if (before >= triesAtMost || (before > 0 && !challenge.stale)) return false;
  tries.set(key, before + 1);
  return true;
}

function scopeOf(method: string): 'register' | 'other' {
  return method === 'REGISTER' ? 'register' : 'other';
}
