import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type Journal, type JournalFile, journalFileSchema } from '#firmware/contract/journal.ts';
import { validate } from '#firmware/contract/validation.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { Inheritance } from '#firmware/phone/adoption.ts';

/** How the machine tells which of its boots this is, and its own monotonic time, ms. */
export interface MachineClock {
  readonly boot: string;
  now(): Milliseconds;
}

/** A journal of 64 calls is a tenth of this. */
const bytesAtMost = 4 * 1024 * 1024;
/** While calls go on, the file says this often that its writer lives, ms. */
const beatMs = 5_000;
/** Nobody waits for us that long: what is older is forgotten, not even ended. */
const staleMs = 600_000;

/**
 * The calls that go on, in a file of the runtime directory, which is in memory: the phone that is started after this one has died takes them
 * up again. Written whole, beside and over it, readable by its owner alone. Nothing here may keep a call waiting or bring the phone down.
 */
export class CallJournal {
  readonly #path: string;
  readonly #version: string;
  readonly #clock: Clock;
  readonly #machine: MachineClock;
  readonly #log: LimitedLog;
  #journal: Journal | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(path: string, version: string, clock: Clock, machine: MachineClock, logger: Logger) {
    this.#path = path;
    this.#version = version;
    this.#clock = clock;
    this.#machine = machine;
    this.#log = new LimitedLog(logger);
  }

  /** What a process that died has left. Asked once: calls that bring down their heir have no second one. */
  take(): Inheritance | undefined {
    try {
      const text = this.#read();
      rmSync(this.#path, { force: true });
      if (text === undefined) return undefined;
      const file = this.#parse(text);
      const clockShift = file.clockZero - this.#clockZero;
      return { journal: file.journal, clockShift, awayMs: this.#machine.now() - file.aliveAt };
    } catch (thrown) {
      this.#log.warn(this.#clock.now(), 'calls-not-taken-up', { reason: messageOf(thrown) });
      return undefined;
    }
  }

  keep(journal: Journal): void {
    this.#journal = journal;
    this.#write();
    if (journal.calls.length === 0) {
      clearInterval(this.#beat);
      this.#beat = undefined;
    } else this.#beat ??= setInterval(() => this.#write(), beatMs).unref();
  }

  /** This phone has stopped as it should, and ended its calls: there is no heir. */
  close(): void {
    clearInterval(this.#beat);
    rmSync(this.#path, { force: true });
  }

  get #clockZero(): Milliseconds {
    return this.#machine.now() - this.#clock.now();
  }

  #write(): void {
    if (!this.#journal) return;
    const file: JournalFile = {
      version: this.#version,
      boot: this.#machine.boot,
      clockZero: this.#clockZero,
      aliveAt: this.#machine.now(),
      journal: this.#journal,
    };
    const beside = `${this.#path}.new`;
    try {
      rmSync(beside, { force: true });
      writeFileSync(beside, JSON.stringify(file), { mode: 0o600, flag: 'wx' });
      renameSync(beside, this.#path);
    } catch (thrown) {
      this.#log.warn(this.#clock.now(), 'calls-not-written-down', { reason: messageOf(thrown) });
    }
  }

  /** Others may write in the directory: only a file of our own is believed. */
  #read(): string | undefined {
    const found = lstatSync(this.#path, { throwIfNoEntry: false });
    if (!found) return undefined;
    if (!found.isFile() || found.uid !== process.getuid?.()) throw new Error(`${this.#path} is not ours`);
    if (found.size > bytesAtMost) throw new Error(`${this.#path} has ${found.size} bytes`);
    return readFileSync(this.#path, 'utf8');
  }

  #parse(text: string): JournalFile {
    const checked = validate(journalFileSchema, JSON.parse(text));
    if (!checked.ok) throw new Error(checked.reason);
    const file = checked.value as JournalFile;
    if (file.version !== this.#version) throw new Error(`version ${file.version} wrote it`);
    if (file.boot !== this.#machine.boot) throw new Error('the machine has been started anew since');
    const age = this.#machine.now() - file.aliveAt;
    if (age < 0 || age > staleMs) throw new Error(`it is ${Math.round(age / 1_000)} s old`);
    return file;
  }
}

/** This machine. Under systemd `/proc` may be hidden: there the file is in memory, and does not outlive a boot. */
export function thisMachine(): MachineClock {
  let boot = '';
  try {
    boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Hidden from us, as said above.
  }
  return { boot, now: () => Number(process.hrtime.bigint()) / 1e6 };
}
