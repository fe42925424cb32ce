import { type DigestAlgorithm, digestAlgorithms } from '#firmware/sip/digest-hash.ts';
import type { Request } from '#firmware/sip/message/message.ts';

/** Call-IDs and users remembered, each; the oldest are forgotten first. */
const rememberedAtMost = 1024;

/**
 * Which algorithms a sender is offered. By RFC 8760 a phone skips challenges it does not know, but many in the field give up at the first of
 * them and come back later as if nothing had been said. Whoever comes back like that, or has answered with MD5 before, is offered MD5 alone;
 * whoever has answered with something stronger never is.
 */
export class AlgorithmChoice {
  readonly #allowed: () => readonly DigestAlgorithm[];
  readonly #answered = new Map<string, DigestAlgorithm>();
  readonly #offered = new Map<string, number>();

  /** `allowed`: what the settings allow, the strongest first. */
  constructor(allowed: () => readonly DigestAlgorithm[]) {
    this.#allowed = allowed;
  }

  allows(algorithm: DigestAlgorithm): boolean {
    return this.#allowed().includes(algorithm);
  }

  /** For a request from the address `source` that is to be challenged; `answered`: it carried credentials of ours, so its sender understood the challenge before. */
  offer(request: Request, source: string, answered: boolean): readonly DigestAlgorithm[] {
    const allowed = this.#allowed();
    const weakest = digestAlgorithms.at(-1);
    if (allowed.length < 2 || !weakest || !allowed.includes(weakest)) return allowed;
    const before = this.#answered.get(senderOf(request, source));
    if (before === weakest) return [weakest];
    const sequence = request.cSeq?.number ?? 0;
    const offeredAt = this.#offered.get(request.callId);
    if (before === undefined && !answered && offeredAt !== undefined && sequence > offeredAt) return [weakest];
    remember(this.#offered, request.callId, sequence);
    return allowed;
  }

  /** The sender of this request proved a password with this algorithm. */
  succeeded(request: Request, source: string, algorithm: DigestAlgorithm): void {
    this.#offered.delete(request.callId);
    remember(this.#answered, senderOf(request, source), algorithm);
  }
}

/** One user may have phones of several kinds: each is known by where it is. */
function senderOf(request: Request, source: string): string {
  const uri = request.from?.uri;
  return `${uri?.kind === 'sip' ? (uri.user ?? '') : ''} ${source}`;
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= rememberedAtMost) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}
