import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { ExchangeEvent } from '#firmware/exchange/exchange.ts';
import type { BindingRecord } from '#firmware/exchange/location-service.ts';
import type { User } from '#firmware/exchange/user-directory.ts';
import type { Row, SqliteStore, Statements } from '#firmware/platform/sqlite-store.ts';
import type { Transport } from '#firmware/sip/transport/flow.ts';

export interface RepositoryParts {
  readonly store: SqliteStore;
  readonly logger: Logger;
  readonly entropy: Entropy;
  /** Wall-clock ms: on disk, times have to mean something after a restart. */
  readonly wallTime: () => number;
  readonly realm: string;
}

/** Changes are gathered for this long and written together: a power cut costs a refresh, not a user. */
const gatherMs = 200;
const retryMs = 5000;
const transports: readonly Transport[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

/** Users and bindings on disk. Reading happens once, at the start; what changes later is written behind the exchange's back. */
export class ExchangeRepository {
  readonly #parts: RepositoryParts;
  /** The newest change by what it is about. */
  #pending = new Map<string, ExchangeEvent>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: RepositoryParts) {
    this.#parts = parts;
  }

  /** Users whose proofs are of another realm are left out: their passwords must be set anew. */
  async users(): Promise<User[]> {
    const { store, logger, realm } = this.#parts;
    const users: User[] = [];
    for (const row of await store.all('SELECT * FROM users ORDER BY name')) {
      const name = String(row.name);
      if (row.realm !== realm) logger.warn('user-of-another-realm', { user: name, realm: String(row.realm) });
      else {
        const proofs = { 'SHA-256': String(row.sha256), MD5: String(row.md5) };
        users.push({ name, proofs, forward: row.forward === null ? undefined : String(row.forward) });
      }
    }
    return users;
  }

  async bindings(): Promise<BindingRecord[]> {
    const { store, wallTime } = this.#parts;
    const rows = await store.all('SELECT * FROM bindings');
    return rows.map((row) => recordOf(row, wallTime()));
  }

  /** A secret of that name: made at the first start, the same ever after. */
  async secret(name: string): Promise<string> {
    const { store, entropy } = this.#parts;
    await store.run('INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', [name, randomToken(entropy, 52)]);
    return String((await store.get('SELECT value FROM secrets WHERE name = ?', [name]))?.value);
  }

  /** Takes a change; it is on disk soon. */
  keep(change: ExchangeEvent): void {
    this.#pending.set(subjectOf(change), change);
    this.#timer ??= setTimeout(() => void this.#writeLater(), gatherMs);
  }

  /** Writes what waits; rejects if the disk does not take it, and keeps it for the next try. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const turn = this.#writing.then(() => this.#write());
    this.#writing = turn.catch((thrown: unknown) => this.#failed(thrown));
    return turn;
  }

  /** Writes the last changes. */
  async stop(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }

  async #writeLater(): Promise<void> {
    try {
      await this.flush();
    } catch {
      // `#failed` has said so and tries again.
    }
  }

  #failed(thrown: unknown): void {
    this.#parts.logger.error('exchange-not-written', { reason: messageOf(thrown), waiting: this.#pending.size });
    this.#timer ??= setTimeout(() => void this.#writeLater(), retryMs);
  }

  async #write(): Promise<void> {
    const changes = this.#pending;
    if (changes.size === 0) return;
    this.#pending = new Map();
    const now = this.#parts.wallTime();
    try {
      await this.#parts.store.transaction(async (statements) => {
        for (const change of changes.values()) await write(statements, change, this.#parts.realm, now);
      });
    } catch (thrown) {
      // What came meanwhile is newer.
      this.#pending = new Map([...changes, ...this.#pending]);
      throw thrown;
    }
  }
}

function subjectOf(change: ExchangeEvent): string {
  switch (change.type) {
    case 'userStored':
      return `user ${change.user.name}`;
    case 'userRemoved':
      return `user ${change.user}`;
    case 'bindingStored':
      return `binding ${change.record.user} ${change.record.uri}`;
    case 'bindingRemoved':
      return `binding ${change.user} ${change.uri}`;
    default:
      return change satisfies never;
  }
}

async function write(statements: Statements, change: ExchangeEvent, realm: string, now: number): Promise<void> {
  switch (change.type) {
    case 'userStored': {
      const { name, proofs, forward } = change.user;
      await statements.run('INSERT OR REPLACE INTO users (name, realm, sha256, md5, forward) VALUES (?, ?, ?, ?, ?)', [
        name,
        realm,
        proofs['SHA-256'],
        proofs.MD5,
        forward ?? null,
      ]);
      return;
    }
    case 'userRemoved':
      await statements.run('DELETE FROM users WHERE name = ?', [change.user]);
      return;
    case 'bindingStored':
      await statements.run(`INSERT OR REPLACE INTO bindings VALUES (${'?, '.repeat(12)}?)`, valuesOf(change.record, now));
      return;
    case 'bindingRemoved':
      await statements.run('DELETE FROM bindings WHERE user = ? AND uri = ?', [change.user, change.uri]);
      return;
    default:
      change satisfies never;
  }
}

function valuesOf(record: BindingRecord, now: number): (string | number)[] {
  const { user, uri, contact, callId, sequence, path, transport, address, port, userAgent, grantedMs, expiresInMs } = record;
  const times = [Math.round(grantedMs), Math.round(now), Math.round(now + expiresInMs)];
  return [user, uri, contact, callId, sequence, JSON.stringify(path), transport, address, port, userAgent, ...times];
}

/**
 * Many of these machines have no clock while they are off. If the wall clock stands before the time of writing it has gone back, and no time
 * counts as passed; in no case does a binding live longer than it was granted.
 */
function recordOf(row: Row, now: number): BindingRecord {
  const grantedMs = Number(row.granted_ms);
  const left = now < Number(row.written_at) ? grantedMs : Number(row.expires_at) - now;
  const path: unknown = JSON.parse(String(row.path));
  return {
    user: String(row.user),
    uri: String(row.uri),
    contact: String(row.contact),
    callId: String(row.call_id),
    sequence: Number(row.sequence),
    path: Array.isArray(path) ? path.map(String) : [],
    transport: transports.find((transport) => transport === row.transport) ?? 'udp',
    address: String(row.address),
    port: Number(row.port),
    userAgent: String(row.user_agent),
    grantedMs,
    expiresInMs: Math.min(grantedMs, left),
  };
}
