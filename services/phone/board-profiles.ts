import { readFile } from 'node:fs/promises';
import { type BoardProfile, boardProfileSchema } from '#firmware/contract/hal.ts';
import { validate } from '#firmware/contract/validation.ts';
import { messageOf, UsageError } from '#firmware/core/errors.ts';
import { shippedBoards } from '#hal/boards/shipped-boards.ts';

/** A profile is a page of text. */
const bytesAtMost = 100_000;

/** What is wired to which pin: a profile that comes with the firmware by its name, or a JSON file by its path. Throws UsageError. */
export async function loadBoardProfile(nameOrPath: string): Promise<BoardProfile> {
  const known = shippedBoards.get(nameOrPath);
  const checked = validate(boardProfileSchema, known ?? (await readProfile(nameOrPath)));
  if (!checked.ok) throw new UsageError('invalid-board', `board profile ${nameOrPath}: ${checked.reason}`);
  return checked.value as BoardProfile;
}

/** A phone without keys and lamps: what is left when the profile cannot be read. Calls by page and CLI go on. */
export const emptyBoard: BoardProfile = {
  name: 'none',
  description: '',
  gpio: 'auto',
  sound: 'none',
  hook: null,
  flashMs: 0,
  keypad: null,
  leds: {},
  relays: {},
  inputs: {},
};

async function readProfile(path: string): Promise<unknown> {
  if (!path.includes('/')) {
    throw new UsageError(
      'unknown-board',
      `there is no board profile ${path}: use ${[...shippedBoards.keys()].join(', ')} or the path of a file`,
    );
  }
  try {
    const text = await readFile(path, 'utf8');
    if (text.length > bytesAtMost) throw new Error(`it has more than ${bytesAtMost} characters`);
    return JSON.parse(text);
  } catch (thrown) {
    throw new UsageError('invalid-board', `board profile ${path}: ${messageOf(thrown)}`);
  }
}
