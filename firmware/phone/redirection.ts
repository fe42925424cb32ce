import type { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { formatUri, type Uri } from '#firmware/sip/message/uri.ts';

/** Addresses one call may try in all: enough for a chain of forwards, too few for a loop to hurt. */
const triesAtMost = 6;

/** Where a call goes on when it is answered 3xx (RFC 3261 §8.1.3.4): each address once, the best first. */
export class Redirection {
  readonly #tried = new Set<string>();
  #waiting: Uri[] = [];
  #target: Uri;

  constructor(target: Uri) {
    this.#target = target;
    this.#tried.add(formatUri(target));
  }

  get target(): Uri {
    return this.#target;
  }

  /** Moves on to the next address after a refusal; false when there is none left. */
  follow(statusCode: number, contacts: readonly NameAddr[] = []): boolean {
    if (statusCode >= 600) return false;
    if (statusCode < 400) this.#waiting.unshift(...contacts.map(({ uri }) => uri).filter(isCallable));
    while (this.#tried.size < triesAtMost) {
      const next = this.#waiting.shift();
      if (!next) return false;
      const text = formatUri(next);
      if (this.#tried.has(text)) continue;
      this.#tried.add(text);
      this.#target = next;
      return true;
    }
    return false;
  }
}

/** An address that brings headers of its own could make us send what nobody dialled. */
function isCallable(uri: Uri): boolean {
  return uri.kind === 'sip' && uri.headers.length === 0;
}
