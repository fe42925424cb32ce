import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { digestResponse } from './digest.ts';
import type { Identity } from './identity.ts';
import { formatAuth } from './message/auth.ts';
import type { Request } from './message/message.ts';

const nonceLife: Milliseconds = 60_000;
const noncesAtMost = 16;

/** RFC 3261 §22.2 as UAS: whether who sends a request knows the password of the account it is for. Each nonce counts once. */
export class PeerAuthentication {
  readonly #entropy: Entropy;
  /** When each ends. */
  readonly #nonces = new Map<string, Milliseconds>();

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  /** True if the request bears the right answer to a challenge of ours. */
  knows(now: Milliseconds, request: Request, { account }: Identity): boolean {
    const credentials = account?.credentials;
    if (!credentials) return false;
    return request.authorization.some(({ scheme, params }) => {
      const [username, realm, nonce, uri, response] = ['username', 'realm', 'nonce', 'uri', 'response'].map((name) => params.get(name));
      const [nonceCount, clientNonce] = [params.get('nc'), params.get('cnonce')];
      const algorithm = (params.get('algorithm') ?? 'MD5').toUpperCase();
      if (scheme !== 'digest' || !username || !nonce || !uri || !response || username !== credentials.username) return false;
      if ((algorithm !== 'MD5' && algorithm !== 'SHA-256') || realm !== account.aor.host || !nonceCount || !clientNonce) return false;
      const endsAt = this.#nonces.get(nonce);
      this.#nonces.delete(nonce);
      if (endsAt === undefined || endsAt < now || params.get('qop') !== 'auth') return false;
      const { method } = request;
      const qop = { quality: 'auth', nonceCount, clientNonce } as const;
      return digestResponse({ algorithm, ...credentials, realm, method, uri, nonce, qop }) === response.toLowerCase();
    });
  }

  /** The lines of a 401, strongest first (RFC 8760 §2.4). */
  challenges(now: Milliseconds, { account }: Identity): readonly (readonly [name: string, value: string])[] {
    const realm = account?.aor.host ?? '';
    for (const [nonce, endsAt] of this.#nonces) if (endsAt < now) this.#nonces.delete(nonce);
    return ['SHA-256', 'MD5'].map((algorithm) => {
      const nonce = randomToken(this.#entropy, 24);
      const [oldest] = this.#nonces.keys();
      if (this.#nonces.size >= noncesAtMost && oldest !== undefined) this.#nonces.delete(oldest);
      this.#nonces.set(nonce, now + nonceLife);
      const params = new Map(Object.entries({ realm, nonce, algorithm, qop: 'auth' }));
      return ['WWW-Authenticate', formatAuth({ scheme: 'digest', params }, 'challenge')];
    });
  }
}
