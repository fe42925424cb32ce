import { UsageError } from '#firmware/core/errors.ts';
import { chosenLadder, ladderLines, ladderListLines } from './ladder-view.ts';
import { type Output, withPhone } from './phone-commands.ts';
import type { Place } from './place.ts';

interface Options {
  readonly list?: boolean;
  readonly json?: boolean;
}

/** As much of the program of the command line as is needed here. */
interface Program {
  command(words: string): Subcommand;
}

interface Subcommand {
  description(text: string): this;
  option(flags: string, text: string, otherwise: boolean): this;
  addHelpText(position: 'after', text: string): this;
  action(act: (...args: unknown[]) => Promise<void>): unknown;
}

type Printing = (action: (place: Place, options: Options, ...words: string[]) => Promise<Output>) => (...args: unknown[]) => Promise<void>;

/** What went to and fro on the wire. */
export function addLadderCommand(program: Program, printing: Printing): void {
  program
    .command('ladder [which]')
    .description('the SIP messages of the last call, or of another that --list shows: its number, or words of its target or Call-ID')
    .option('--list', 'what is kept', false)
    .option('--json', 'for programs', false)
    .addHelpText('after', '\nExamples:\n  hookswitch ladder\n  hookswitch ladder --list\n  hookswitch ladder 3\n  hookswitch ladder bob@')
    .action(printing((place, options, which) => ladder(place, options, which)));
}

function ladder(place: Place, { list, json }: Options, wish: string | undefined): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { ladders } = await phone.command('ladders', {});
    if (list) return json ? [JSON.stringify(ladders, null, 2)] : ladderListLines(ladders);
    const chosen = chosenLadder(ladders, wish);
    if (!chosen && wish !== undefined) {
      throw new UsageError('unknown-ladder', `no messages are kept of ${wish}; hookswitch ladder --list shows what is`);
    }
    if (json) return [JSON.stringify(chosen ?? null, null, 2)];
    return chosen ? ladderLines(chosen) : ladderListLines([]);
  });
}
