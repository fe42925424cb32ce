import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * The outputs that are open, in a file that outlives this process: sysfs keeps a line as it is when whoever drove it is killed. One path of a
 * `value` a line; a 0 written there is the safe state, whatever the polarity. Who reads it: the unit's ExecStopPost, at once, and the next
 * hal, at its start.
 */
export class OutputJournal {
  readonly #path: string;
  readonly #open = new Set<string>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes safe what a predecessor that was killed has left; returns the lines that it found. */
  makeSafe(): string[] {
    const left = this.#read();
    const made: string[] = [];
    for (const value of left) {
      try {
        writeFileSync(value, '0', { flag: 'r+' });
        made.push(value);
      } catch {
        // Given back before its owner died, or its chip is gone: nothing is held there.
      }
    }
    rmSync(this.#path, { force: true });
    return made;
  }

  /** Before the line is set up. Throws when it cannot be written down. */
  opened(value: string): void {
    this.#open.add(value);
    this.#write();
  }

  closed(value: string): void {
    this.#open.delete(value);
    this.#write();
  }

  #write(): void {
    writeFileSync(this.#path, [...this.#open].map((value) => `${value}\n`).join(''), { mode: 0o600 });
  }

  #read(): string[] {
    try {
      return readFileSync(this.#path, 'utf8')
        .split('\n')
        .filter((line) => /\/gpio\d+\/value$/.test(line));
    } catch {
      // The first start since boot.
      return [];
    }
  }
}
