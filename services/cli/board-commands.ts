import { readFile } from 'node:fs/promises';
import { getDotPath, safeParse } from 'valibot';
import { type BoardProfile, boardProfileSchema } from '#firmware/contract/hal.ts';
import { messageOf, UsageError } from '#firmware/core/errors.ts';
import { boardProblemsOf } from '#hal/board-check.ts';
import { boardPinsOf } from '#hal/board-pins.ts';
import { shippedBoards } from '#hal/boards/shipped-boards.ts';
import { headerNumberOf } from '#hal/header.ts';
import { wiringDiagram } from '#hal/wiring/wiring-diagram.ts';
import type { Output } from './phone-commands.ts';

/** What a look at a profile came to. */
export interface BoardVerdict {
  readonly lines: Output;
  /** It cannot work. */
  readonly wrong: boolean;
}

/** A profile takes a page; what is much longer is none. */
const charactersAtMost = 100_000;

export function listBoards(): Output {
  const names = [...shippedBoards.keys()];
  const longest = Math.max(...names.map(({ length }) => length));
  return names.map((name) => `${name.padEnd(longest)}  ${parsed(shippedBoards.get(name)).profile?.description ?? ''}`);
}

/** The profile with all its defaults, as JSON. */
export async function showBoard(nameOrPath: string): Promise<Output> {
  return [JSON.stringify(await usableProfile(nameOrPath), null, 2)];
}

/** Whether a profile can work, and which pin is what. */
export async function checkBoard(nameOrPath: string): Promise<BoardVerdict> {
  const { profile, problems } = parsed(await readBoard(nameOrPath));
  if (!profile) return { lines: problems.map((problem) => `error    ${problem}`), wrong: true };
  const found = boardProblemsOf(profile);
  const wrong = found.some(({ severity }) => severity === 'error');
  const lines = found.map(({ severity, element, problem }) => `${severity.padEnd(7)}  ${element}: ${problem}`);
  return { lines: [...lines, ...pinLines(profile), wrong ? 'it cannot work so' : 'it can work'], wrong };
}

export async function drawBoard(nameOrPath: string): Promise<Output> {
  return [wiringDiagram(await usableProfile(nameOrPath)).trimEnd()];
}

function pinLines(profile: BoardProfile): string[] {
  return boardPinsOf(profile).map(
    ({ pin, element }) => `pin ${String(headerNumberOf(pin) ?? '–').padStart(2)}   GPIO ${String(pin).padEnd(3)} ${element}`,
  );
}

async function usableProfile(nameOrPath: string): Promise<BoardProfile> {
  const { profile, problems } = parsed(await readBoard(nameOrPath));
  if (!profile) throw new UsageError('invalid-board', `${nameOrPath}: ${problems.join('; ')}`);
  return profile;
}

async function readBoard(nameOrPath: string): Promise<unknown> {
  const shipped = shippedBoards.get(nameOrPath);
  if (shipped !== undefined) return shipped;
  try {
    const text = await readFile(nameOrPath, 'utf8');
    if (text.length > charactersAtMost) throw new Error(`it has more than ${charactersAtMost} characters`);
    return JSON.parse(text);
  } catch (thrown) {
    throw new UsageError('invalid-board', `${nameOrPath}: ${messageOf(thrown)}; ready ones: ${[...shippedBoards.keys()].join(', ')}`);
  }
}

/** Every field that does not fit, with its way from the top. */
function parsed(value: unknown): { readonly profile?: BoardProfile; readonly problems: string[] } {
  const result = safeParse(boardProfileSchema, value);
  if (result.success) return { profile: result.output, problems: [] };
  return {
    problems: result.issues
      .slice(0, 20)
      .map((issue) => `${getDotPath(issue) ?? 'the profile'}: ${issue.expected === 'never' ? 'there is no such field' : issue.message}`),
  };
}
