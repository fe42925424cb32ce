import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const sysfsEntry = /\/gpio\d+\/value$/;
const chipEntry = /^gpiochip [\w@.-]{1,31} \d{1,3} (?:high|low)$/;
const entriesAtMost = 64;

/**
 * The outputs that are open, in a file that outlives this process: a line stays as it is when whoever drove it is killed. With sysfs one path
 * of a `value` a line; a 0 written there is the safe state, whatever the polarity. With the character device a line of the kind
 * `gpiochip LABEL PIN LEVEL`. Who reads it: the unit's ExecStopPost, at once, the paths, and the next hal, at its start, all.
 */
export class OutputJournal {
  readonly #path: string;
  readonly #open = new Set<string>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Lines of the character device that a predecessor has left, after `makeSafe`, until they are said to be `closed`. */
  get left(): string[] {
    return [...this.#open].filter((entry) => chipEntry.test(entry));
  }

  /** Makes safe what a predecessor that was killed has left in sysfs; returns the lines that it found. */
  makeSafe(): string[] {
    const left = this.#read();
    const made: string[] = [];
    for (const entry of left.filter((one) => chipEntry.test(one))) this.#open.add(entry);
    for (const value of left.filter((one) => !chipEntry.test(one))) {
      try {
        writeFileSync(value, '0', { flag: 'r+' });
        made.push(value);
      } catch {
        // Given back before its owner died, or its chip is gone: nothing is held there.
      }
    }
    if (this.#open.size > 0) this.#write();
    else rmSync(this.#path, { force: true });
    return made;
  }

  /** Before the line is set up. Throws when it cannot be written down. */
  opened(entry: string): void {
    this.#open.add(entry);
    this.#write();
  }

  closed(entry: string): void {
    this.#open.delete(entry);
    this.#write();
  }

  #write(): void {
    writeFileSync(this.#path, [...this.#open].map((entry) => `${entry}\n`).join(''), { mode: 0o600 });
  }

  #read(): string[] {
    try {
      return readFileSync(this.#path, 'utf8')
        .split('\n')
        .filter((line) => sysfsEntry.test(line) || chipEntry.test(line))
        .slice(0, entriesAtMost);
    } catch {
      // The first start since boot.
      return [];
    }
  }
}
