import { UsageError } from '#firmware/core/errors.ts';
import { type Output, silently, withPhone } from './phone-commands.ts';
import type { Place } from './place.ts';
import { deleteRecording, listRecordings, record, saveRecording } from './recording-commands.ts';

/** What the commands below are called with. */
interface Options {
  readonly call?: string | undefined;
  readonly loop?: boolean;
  readonly stop?: boolean;
  readonly json?: boolean;
  readonly wav?: string | undefined;
}

/** Makes an action of what a command prints. */
type Printing = (action: (place: Place, options: Options, ...words: string[]) => Promise<Output>) => (...args: unknown[]) => Promise<void>;

/** As much of the program of the command line as is needed here. */
interface Program {
  command(words: string): Subcommand;
}

interface Subcommand {
  description(text: string): this;
  option(flags: string, text: string, otherwise?: boolean): this;
  addHelpText(position: 'after', text: string): this;
  action(act: (...args: unknown[]) => Promise<void>): this;
  command(words: string): Subcommand;
}

/** Commands of what is mixed into calls. */
export function addSoundCommands(program: Program, printing: Printing): void {
  program
    .command('conference')
    .description('all accepted calls talk with each other; hangup --call drops one')
    .option('--call <id>', 'only that one joins those that talk')
    .action(printing((place, { call }) => withPhone(place, (phone) => silently(phone.command('conference', { call })))));
  program
    .command('level <dB>')
    .description('hear a far end louder or softer, in a conference by all: -30 to 20, 0 is as received')
    .option('--call <id>', 'which call')
    .addHelpText('after', '\nExamples:\n  hookswitch level 6\n  hookswitch level -- -6')
    .action(
      printing((place, { call }, text) =>
        withPhone(place, (phone) => silently(phone.command('setLevel', { decibels: decibelsOf(text), call }))),
      ),
    );
  program
    .command('play [file]')
    .description('play a WAV file of phone.soundDirectory to the far end')
    .option('--call <id>', 'which call')
    .option('--loop', 'again and again, until --stop', false)
    .option('--stop', 'end what plays', false)
    .action(printing((place, options, file) => play(place, options, file)));
  program
    .command('page [group]')
    .description('speak to a group of telephones (page.NAME.address) until you hang up')
    .option('--wav <file>', 'play a WAV file of phone.soundDirectory instead')
    .option('--stop', 'end it', false)
    .action(printing((place, { wav, stop = false }, group) => page(place, group, wav, stop)));
  addRecordingCommands(program, printing);
}

function addRecordingCommands(program: Program, printing: Printing): void {
  program
    .command('record [on|off]')
    .description('record the call: near end on the left, far end on the right; both hear a beep (recording.beep)')
    .option('--call <id>', 'which call')
    .action(printing((place, { call }, word = 'on') => record(place, isOn(word), call)));
  const recordings = program.command('recordings').description('what was recorded');
  recordings
    .command('list')
    .description('oldest first')
    .option('--json', 'for programs', false)
    .action(printing((place, { json = false }) => listRecordings(place, { json })));
  recordings
    .command('save <name> [file]')
    .description('write a recording to a file')
    .action(printing((place, _options, name = '', file) => saveRecording(place, name, file)));
  recordings
    .command('delete <name>')
    .description('for good')
    .action(printing((place, _options, name = '') => deleteRecording(place, name)));
}

function isOn(word: string): boolean {
  if (word === 'on' || word === 'off') return word === 'on';
  throw new UsageError('usage', `${word} is neither on nor off`);
}

function play(place: Place, { call, loop, stop }: Options, file: string | undefined): Promise<Output> {
  return withPhone(place, async (phone) => {
    if (stop === (file !== undefined)) throw new UsageError('usage', 'say which file, or --stop');
    if (file === undefined) return await silently(phone.command('stopPlaying', { call }));
    const { seconds } = await phone.command('play', { file, repeat: loop ? 0 : 1, call });
    return [`plays ${seconds.toFixed(1)} s`];
  });
}

function page(place: Place, group: string | undefined, file: string | undefined, stop: boolean): Promise<Output> {
  if (stop === (group !== undefined)) throw new UsageError('usage', 'say which group, or --stop');
  return withPhone(place, (phone) =>
    silently(group === undefined ? phone.command('stopPage', {}) : phone.command('page', { group, file })),
  );
}

function decibelsOf(text = ''): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= -30 && value <= 20)) throw new UsageError('usage', `${text} is not a number from -30 to 20`);
  return value;
}
