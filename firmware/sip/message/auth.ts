import { InvariantError } from '#firmware/core/errors.ts';

/**
 * RFC 3261 §25.1 challenge or credentials: a scheme and its parameters. Serves WWW-Authenticate, Proxy-Authenticate, Authorization and
 * Proxy-Authorization; Authentication-Info has no scheme and is read by `parseAuthParams`.
 */
export interface AuthValue {
  /** Lower-cased: `digest`, `bearer`. */
  readonly scheme: string;
  /** By lower-cased name, quotes and escapes undone. */
  readonly params: ReadonlyMap<string, string>;
}

/** `undefined` if malformed, if a parameter comes twice, or if there are more than 64 parameters. */
export function parseAuth(text: string): AuthValue | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** Parameters alone (Authentication-Info, RFC 7616 §3.5). */
export function parseAuthParams(text: string): ReadonlyMap<string, string> | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** Quotes the parameters that are defined as quoted strings and leaves the others (algorithm, stale, nc; qop of credentials) as tokens. */
export function formatAuth(value: AuthValue, kind: 'challenge' | 'credentials'): string {
  throw new InvariantError(`not built: ${value.scheme} ${kind}`);
}
