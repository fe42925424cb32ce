import { UsageError } from '#firmware/core/errors.ts';
import { type DigestAlgorithm, digestHash } from '#firmware/sip/digest-hash.ts';

/** RFC 7616 §3.4.2 H(A1): what proves a password, so that none is kept. Worth a password within its realm: never in logs. */
export type PasswordProofs = Readonly<Record<DigestAlgorithm, string>>;

/** Someone who may register and call. */
export interface User {
  readonly name: string;
  readonly proofs: PasswordProofs;
  /** Where calls for the user are sent instead, as a URI or another user's name. */
  readonly forward: string | undefined;
}

export type UserChange = { readonly type: 'userStored'; readonly user: User } | { readonly type: 'userRemoved'; readonly user: string };

/** The users of this exchange, by name. Every change is handed out once, for the disk. */
export class UserDirectory {
  readonly #users = new Map<string, User>();
  readonly #maximum: number;
  #changes: UserChange[] = [];

  constructor(users: Iterable<User>, maximum: number) {
    this.#maximum = maximum;
    for (const user of users) this.#users.set(user.name, user);
  }

  get(name: string): User | undefined {
    return this.#users.get(name);
  }

  *[Symbol.iterator](): Iterator<User> {
    yield* this.#users.values();
  }

  /** True if a known user has another password now. Throws `too-many-users`. */
  setPassword(name: string, realm: string, password: string): boolean {
    const known = this.#users.get(name);
    if (!known && this.#users.size >= this.#maximum) {
      throw new UsageError('too-many-users', `the exchange has ${this.#maximum} users, which is its limit`);
    }
    const proofs = proofsOf(name, realm, password);
    this.#store({ name, proofs, forward: known?.forward });
    return known !== undefined && known.proofs['SHA-256'] !== proofs['SHA-256'];
  }

  /** Throws `unknown-user`. */
  setForward(name: string, forward: string | undefined): void {
    this.#store({ ...this.#known(name), forward });
  }

  /** Throws `unknown-user`. */
  remove(name: string): void {
    this.#known(name);
    this.#users.delete(name);
    this.#changes.push({ type: 'userRemoved', user: name });
  }

  /** What changed since the last call, in order. */
  drain(): UserChange[] {
    const changes = this.#changes;
    if (changes.length > 0) this.#changes = [];
    return changes;
  }

  #known(name: string): User {
    const user = this.#users.get(name);
    if (!user) throw new UsageError('unknown-user', `the exchange has no user ${name}`);
    return user;
  }

  #store(user: User): void {
    this.#users.set(user.name, user);
    this.#changes.push({ type: 'userStored', user });
  }
}

function proofsOf(name: string, realm: string, password: string): PasswordProofs {
  const secret = `${name}:${realm}:${password}`;
  return { 'SHA-256': digestHash('SHA-256', secret), MD5: digestHash('MD5', secret) };
}
