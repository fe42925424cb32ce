import { writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { type BoardProfile, halContract, type LessonPlan, type LessonState } from '#firmware/contract/hal.ts';
import { ResourceError, UsageError } from '#firmware/core/errors.ts';
import type { ContractLink } from '#firmware/platform/unix-socket.ts';
import { withContract } from './contract-call.ts';
import type { Place } from './place.ts';

type HalLink = ContractLink<typeof halContract>;

const lookEveryMs = 80;
/** Ctrl-C and Ctrl-D arrive as characters at a terminal. */
const quitKeys: ReadonlySet<string> = new Set(['q', '\u0003', '\u0004']);

export interface Lecture {
  readonly plan: LessonPlan;
  /** Where the profile goes. */
  readonly file: string;
  readonly input: Readable & { setRawMode?(raw: boolean): unknown };
  readonly output: Writable;
}

/** Asks a person for one movement after the other, shows every edge as it comes, and writes the profile. s skips, q ends it, digits answer. */
export function learnBoard(place: Place, lecture: Lecture): Promise<readonly string[]> {
  return withContract(place, halContract, async (hal) => {
    const keys = new PressedKeys(lecture.input);
    try {
      const profile = await attend(hal, lecture, keys);
      writeFileSync(lecture.file, `${JSON.stringify(profile, null, 2)}\n`);
      const option = place.option;
      return [
        `written to ${lecture.file}`,
        `look at it:  hookswitch board check ${lecture.file}`,
        `use it:      hookswitch${option} config set board.profile ${lecture.file}`,
      ];
    } finally {
      keys.end();
    }
  });
}

async function attend(hal: HalLink, { plan, output }: Lecture, keys: PressedKeys): Promise<BoardProfile> {
  const print = (line: string) => output.write(`${line}\n`);
  let lesson = await hal.command('learn', { action: 'start', plan });
  const { learner } = lesson;
  print('The phone is off while its board is being learnt. s skips what this phone does not have, q ends it.');
  for (const { reason } of lesson.refused) print(`  left out: ${reason}`);
  const shown = new Shown(print);
  while (lesson.step !== 'done') {
    shown.show(lesson);
    await pause(lookEveryMs);
    const key = keys.take();
    if (key !== undefined && quitKeys.has(key)) {
      await hal.command('learn', { action: 'stop', learner });
      throw new UsageError('cancelled', 'cancelled: nothing was written');
    }
    const answer = lesson.choices[Number(key) - 1];
    if (answer !== undefined) lesson = await hal.command('learn', { action: 'answer', learner, answer });
    else lesson = await hal.command('learn', { action: key === 's' ? 'skip' : 'look', learner });
  }
  shown.show(lesson);
  const { profile } = await hal.command('learn', { action: 'stop', learner });
  if (!profile) throw new ResourceError('the lesson came to no profile');
  return profile;
}

/** Prints what is new since it was asked last. */
class Shown {
  readonly #print: (line: string) => void;
  #edgeAt = Number.NEGATIVE_INFINITY;
  #ask = '';
  #trouble: string | null = null;
  #found = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  show({ ask, choices, trouble, edges, found, done, of }: LessonState): void {
    for (const { signal, closed, at } of edges.filter((edge) => edge.at > this.#edgeAt)) {
      this.#print(`  ${String(Math.round(at)).padStart(9)} ms  ${closed ? '▁▁▔▔' : '▔▔▁▁'}  ${signal} ${closed ? 'closes' : 'opens'}`);
    }
    this.#edgeAt = edges.at(-1)?.at ?? this.#edgeAt;
    for (const { element, wires } of found.slice(this.#found)) this.#print(`  found: ${element} at ${wires}`);
    this.#found = found.length;
    if (trouble !== null && trouble !== this.#trouble) this.#print(`  ! ${trouble}`);
    this.#trouble = trouble;
    const answers = choices.map((choice, index) => `${index + 1} ${choice}`).join('   ');
    // The same line again is another question.
    const question = answers === '' ? ask : `${ask}\n      ${answers}`;
    if (question !== this.#ask) this.#print(`[${Math.min(done + 1, of)}/${of}] ${question}`);
    this.#ask = question;
  }
}

/** What the person typed: single keys at a terminal, letters of a line elsewhere. */
class PressedKeys {
  readonly #input: Lecture['input'];
  readonly #typed: string[] = [];
  readonly #take = (bytes: Buffer | string): void => {
    this.#typed.push(...String(bytes));
  };

  constructor(input: Lecture['input']) {
    this.#input = input;
    input.setRawMode?.(true);
    input.on('data', this.#take);
  }

  take(): string | undefined {
    for (let key = this.#typed.shift(); key !== undefined; key = this.#typed.shift()) {
      if (key === 's' || /[1-9]/.test(key) || quitKeys.has(key)) return key;
    }
    return undefined;
  }

  end(): void {
    this.#input.off('data', this.#take);
    this.#input.setRawMode?.(false);
    this.#input.pause();
  }
}
