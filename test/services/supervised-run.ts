import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { LogFields, Logger } from '#firmware/core/logger.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { type Program, Supervisor, type SupervisorLimits } from '#services/cli/supervisor.ts';
import { bundle } from '../support/bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'hs-super-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let journals = 0;

export const fakeMain = bundle('test/services/fake-main.ts');

/** A file for what fake daemons note. */
export function freshJournal(): string {
  return join(directory, `journal-${++journals}`);
}

interface Line extends Record<string, unknown> {
  readonly event: string;
}

/** A supervisor over fake daemons, and all it says. */
export class SupervisedRun {
  readonly supervisor: Supervisor;
  readonly ended: Promise<number>;
  readonly lines: Line[] = [];
  readonly #said: Line[] = [];
  readonly #journalFile: string;
  readonly #watchers = new Set<() => void>();

  constructor(
    programs: readonly (Pick<Program, 'name' | 'startRank'> & Partial<Program>)[],
    environment: Record<string, string> = {},
    limits: Partial<SupervisorLimits> = {},
  ) {
    this.#journalFile = freshJournal();
    const said = (event: string, fields: LogFields = {}): void => {
      this.#said.push({ ...fields, event });
      this.#wake();
    };
    const logger: Logger = { debug: said, info: said, warn: said, error: said };
    this.supervisor = new Supervisor({
      programs: programs.map((program) => ({
        command: process.execPath,
        args: [fakeMain, program.name],
        stopRank: 0,
        essential: false,
        ...program,
      })),
      environment: { ...environmentOf(this.#journalFile), ...environment },
      clock: nodeClock,
      logger,
      onLine: (line) => {
        this.lines.push(JSON.parse(line));
        this.#wake();
      },
      limits: { firstPauseMs: 20, lastPauseMs: 80, restarts: 3, healthyMs: 60_000, ...limits },
    });
    this.ended = this.supervisor.run();
  }

  /** What the supervisor said with this event so far. */
  seen(event: string): Omit<Line, 'event'>[] {
    return this.#said.filter((line) => line.event === event).map(({ event: _, ...fields }) => fields);
  }

  async saw(event: string): Promise<object> {
    await this.#until(() => this.seen(event).length > 0);
    return this.seen(event)[0] ?? {};
  }

  sawLines(daemon: string, event: string, times: number): Promise<void> {
    return this.#until(() => this.lines.filter((line) => line.daemon === daemon && line.event === event).length >= times);
  }

  pidOf(daemon: string): number {
    const started = this.lines.filter((line) => line.daemon === daemon && line.event === 'daemon-started');
    return Number(started.at(-1)?.pid);
  }

  /** What the daemons noted, in order. */
  journal(): string[] {
    return readLines(this.#journalFile);
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

export function environmentOf(journalFile: string): NodeJS.ProcessEnv {
  const place = join(directory, 'place');
  return {
    ...process.env,
    FAKE_JOURNAL: journalFile,
    HOOKSWITCH_RUNTIME_DIR: place,
    HOOKSWITCH_STATE_DIR: place,
    JOURNAL_STREAM: undefined,
  };
}

export function readLines(path: string): string[] {
  return readFileSync(path, 'utf8').trimEnd().split('\n');
}
