import type { CallLogEntry, DoorLogEntry, TextEntry } from '#firmware/contract/phone.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { AlertRecord, AlertState, PeerDigits, PhoneRecord } from '#firmware/phone/outbox.ts';
import type { PhoneMemory } from '#firmware/phone/phone-ports.ts';
import type { Row, SqliteStore, SqlValue } from '#firmware/platform/sqlite-store.ts';

export interface RecordLimits {
  readonly callLog: number;
  readonly doorLog: number;
  readonly texts: number;
}

/** How the notice begins that says so. */
export const notKept = 'calls, doors and settings cannot be written down';

/** Far ends whose way with digits is kept. */
const peersAtMost = 256;
/** Calls and messages of others that may be written at once, and one more each second: somebody who rings us a thousand times must not wear out the card. */
const callsAtOnce = 60;
const callIntervalMs = 1_000;

/**
 * Keeps what the phone wants kept: call log, door log, alerts, tallies. Writes go one after the other in the order they came; one that fails
 * (full disk, broken card) is counted and logged, and never keeps a call waiting.
 */
export class RecordKeeper {
  readonly #database: SqliteStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #log: LimitedLog;
  readonly #counters = new Counters();
  readonly #limits: () => RecordLimits;
  #callTokens = callsAtOnce;
  #tokensAt: Milliseconds = 0;
  /** Of the last record, if it could not be written. */
  #failure: string | undefined;

  constructor(database: SqliteStore, clock: Clock, logger: Logger, limits: () => RecordLimits) {
    this.#database = database;
    this.#clock = clock;
    this.#logger = logger;
    this.#log = new LimitedLog(logger);
    this.#limits = limits;
  }

  /** What was kept before the last stop. Alerts that are no longer in `alertNames`, the settings, are forgotten. */
  async recall(alertNames: readonly string[]): Promise<PhoneMemory> {
    const places = alertNames.map(() => '?').join(', ');
    const forgotten = await this.#database.get(`SELECT count(*) AS n FROM alerts WHERE alert NOT IN (${places})`, alertNames);
    if (Number(forgotten?.n) > 0) await this.#database.run(`DELETE FROM alerts WHERE alert NOT IN (${places})`, alertNames);
    const alerts = await this.#database.all('SELECT * FROM alerts');
    const digits = await this.#database.all('SELECT * FROM digit_habits ORDER BY id');
    const missed = await this.#database.get("SELECT value FROM tallies WHERE name = 'missedCalls'");
    const unread = await this.#database.get("SELECT value FROM tallies WHERE name = 'unreadTexts'");
    const texts = await this.#database.all('SELECT * FROM texts ORDER BY rowid DESC LIMIT 200');
    const last = await this.#database.get(
      "SELECT remote, line FROM call_log WHERE direction = 'outgoing' AND owner = 'handset' ORDER BY id DESC LIMIT 1",
    );
    return {
      alerts: alerts.map(alertOf),
      digits: digits.map(digitsOf),
      missedCalls: Number(missed?.value ?? 0),
      texts: texts.map(textOf).reverse(),
      unreadTexts: Number(unread?.value ?? 0),
      lastDialed: last && { dialString: String(last.remote), line: last.line === null ? undefined : String(last.line) },
    };
  }

  /** Returns at once; what goes wrong is counted. */
  keep(record: PhoneRecord): void {
    if ((record.kind === 'call' || isReceived(record)) && !this.#takeToken()) {
      this.#counters.add(`${record.kind}s-not-recorded`);
      return;
    }
    void this.#write(record).then(
      () => this.#kept(),
      (thrown) => this.#lost(record.kind, messageOf(thrown)),
    );
  }

  /** Why nothing is kept at present, for people. */
  get notices(): string[] {
    return this.#failure === undefined ? [] : [`${notKept}: ${this.#failure}`];
  }

  async callLog(limit: number): Promise<CallLogEntry[]> {
    const rows = await this.#database.all('SELECT * FROM call_log ORDER BY id DESC LIMIT ?', [limit]);
    return rows.map((row) => ({
      id: Number(row.id),
      at: Number(row.at),
      direction: row.direction === 'incoming' ? 'incoming' : 'outgoing',
      owner: String(row.owner) as CallLogEntry['owner'],
      line: row.line === null ? null : String(row.line),
      remote: String(row.remote),
      displayName: String(row.display_name),
      outcome: String(row.outcome) as CallLogEntry['outcome'],
      statusCode: row.status_code === null ? null : Number(row.status_code),
      seconds: Number(row.seconds),
    }));
  }

  async doorLog(limit: number): Promise<DoorLogEntry[]> {
    const rows = await this.#database.all('SELECT * FROM door_log ORDER BY id DESC LIMIT ?', [limit]);
    return rows.map((row) => ({
      id: Number(row.id),
      at: Number(row.at),
      door: String(row.door),
      event: String(row.event) as DoorLogEntry['event'],
      by: String(row.by),
      via: String(row.via),
      detail: String(row.detail),
    }));
  }

  describe(): object {
    return { counters: this.#counters.describe() };
  }

  #kept(): void {
    this.#counters.add('records-kept');
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#logger.info('records-kept-again');
  }

  /** Said when it begins, not for each record. */
  #lost(kind: PhoneRecord['kind'], reason: string): void {
    this.#counters.add('records-lost');
    if (this.#failure === undefined) this.#log.warn(this.#clock.now(), 'record-not-kept', { kind, reason });
    this.#failure = reason;
  }

  #takeToken(): boolean {
    const now = this.#clock.now();
    this.#callTokens = Math.min(callsAtOnce, this.#callTokens + (now - this.#tokensAt) / callIntervalMs);
    this.#tokensAt = now;
    if (this.#callTokens < 1) return false;
    this.#callTokens--;
    return true;
  }

  #write(record: PhoneRecord): Promise<unknown> {
    switch (record.kind) {
      case 'call':
        return this.#append('call_log', callRow(record.entry), this.#limits().callLog);
      case 'door':
        return this.#append('door_log', doorRow(record.entry), this.#limits().doorLog);
      case 'alert':
        return this.#replace('alerts', alertRow(record.entry));
      case 'digits':
        return this.#keepDigits(record.entry);
      case 'text':
        return this.#keepText(record.entry);
      case 'missedCalls':
      case 'unreadTexts':
        return this.#replace('tallies', { name: record.kind, value: record.count });
      default:
        return record satisfies never;
    }
  }

  /** Adds a row; the oldest beyond `limit` go. */
  async #append(table: string, row: Readonly<Record<string, SqlValue>>, limit: number): Promise<void> {
    const { sql, values } = insertOf('INSERT', table, row);
    await this.#database.transaction(async (statements) => {
      await statements.run(sql, values);
      await statements.run(`DELETE FROM ${table} WHERE id <= (SELECT id FROM ${table} ORDER BY id DESC LIMIT 1 OFFSET ?)`, [limit]);
    });
  }

  /** Who was met last stands last; who has not been met for longest goes. */
  async #keepDigits(entry: PeerDigits): Promise<void> {
    const { sql, values } = insertOf('INSERT', 'digit_habits', digitsRow(entry));
    await this.#database.transaction(async (statements) => {
      await statements.run('DELETE FROM digit_habits WHERE peer = ?', [entry.peer]);
      await statements.run(sql, values);
      await statements.run('DELETE FROM digit_habits WHERE id <= (SELECT id FROM digit_habits ORDER BY id DESC LIMIT 1 OFFSET ?)', [
        peersAtMost,
      ]);
    });
  }

  /** What becomes of a message that went out is written into its row; the oldest beyond the limit go. */
  async #keepText(entry: TextEntry): Promise<void> {
    const row = textRow(entry);
    await this.#database.transaction(async (statements) => {
      await statements.run('UPDATE texts SET status_code = ? WHERE id = ?', [entry.statusCode, entry.id]);
      const { sql, values } = insertOf('INSERT OR IGNORE', 'texts', row);
      await statements.run(sql, values);
      await statements.run('DELETE FROM texts WHERE rowid <= (SELECT rowid FROM texts ORDER BY rowid DESC LIMIT 1 OFFSET ?)', [
        this.#limits().texts,
      ]);
    });
  }

  #replace(table: string, row: Readonly<Record<string, SqlValue>>): Promise<unknown> {
    const { sql, values } = insertOf('INSERT OR REPLACE', table, row);
    return this.#database.run(sql, values);
  }
}

/** Table and column names are ours, never a peer's. */
function insertOf(verb: string, table: string, row: Readonly<Record<string, SqlValue>>): { sql: string; values: SqlValue[] } {
  const columns = Object.keys(row);
  const sql = `${verb} INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
  return { sql, values: Object.values(row) };
}

/** Names and addresses are what strangers say: a row is bounded whatever they send. */
const charactersAtMost = 512;

function callRow(entry: Omit<CallLogEntry, 'id'>): Readonly<Record<string, SqlValue>> {
  const { displayName, remote, statusCode, at, ...rest } = entry;
  const said = { remote: remote.slice(0, charactersAtMost), display_name: displayName.slice(0, charactersAtMost) };
  return { ...rest, ...said, at: Math.round(at), status_code: statusCode };
}

function doorRow(entry: Omit<DoorLogEntry, 'id'>): Readonly<Record<string, SqlValue>> {
  return { ...entry, by: entry.by.slice(0, charactersAtMost), detail: entry.detail.slice(0, charactersAtMost) };
}

function isReceived(record: PhoneRecord): boolean {
  return record.kind === 'text' && record.entry.direction === 'incoming';
}

function textRow({ at, remote, statusCode, ...rest }: TextEntry): Readonly<Record<string, SqlValue>> {
  const said = { remote: remote.uri.slice(0, charactersAtMost), display_name: remote.displayName.slice(0, charactersAtMost) };
  return { ...rest, ...said, at: Math.round(at), status_code: statusCode };
}

function textOf(row: Row): TextEntry {
  return {
    id: String(row.id),
    at: Number(row.at),
    direction: row.direction === 'incoming' ? 'incoming' : 'outgoing',
    line: row.line === null ? null : String(row.line),
    remote: { displayName: String(row.display_name), uri: String(row.remote) },
    text: String(row.text),
    statusCode: row.status_code === null ? null : Number(row.status_code),
  };
}

function alertRow({ startedAt, acknowledgedBy, ...rest }: AlertRecord): Readonly<Record<string, SqlValue>> {
  return { ...rest, started_at: Math.round(startedAt), acknowledged_by: acknowledgedBy };
}

function alertOf(row: Row): AlertRecord {
  return {
    alert: String(row.alert),
    state: String(row.state) as AlertState,
    startedAt: Number(row.started_at),
    round: Number(row.round),
    person: Number(row.person),
    attempts: Number(row.attempts),
    acknowledgedBy: row.acknowledged_by === null ? null : String(row.acknowledged_by),
  };
}

function digitsRow({ peer, infoFormat, infoAccepted, formsRefused, heardBy }: PeerDigits): Readonly<Record<string, SqlValue>> {
  return { peer, info_format: infoFormat, info_accepted: Number(infoAccepted), forms_refused: formsRefused, heard_by: heardBy };
}

function digitsOf(row: Row): PeerDigits {
  return {
    peer: String(row.peer),
    infoFormat: row.info_format === 'dtmf' ? 'dtmf' : 'dtmf-relay',
    infoAccepted: row.info_accepted === 1,
    formsRefused: Number(row.forms_refused),
    heardBy: row.heard_by === null ? null : (String(row.heard_by) as PeerDigits['heardBy']),
  };
}
