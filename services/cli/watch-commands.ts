import { type Output, withPhone } from './phone-commands.ts';
import type { Place } from './place.ts';

/** Makes an action of what a command prints. */
type Printing = (action: (place: Place, options: object, ...words: string[]) => Promise<Output>) => (...args: unknown[]) => Promise<void>;

/** As much of the program of the command line as is needed here. */
interface Program {
  command(words: string): Subcommand;
}

interface Subcommand {
  description(text: string): this;
  action(act: (...args: unknown[]) => Promise<void>): this;
}

/** Commands about the calls of watched lines. */
export function addWatchCommands(program: Program, printing: Printing): void {
  const wishes = [
    ['pickUp', 'pickup', 'take the call that rings at a watched line'],
    ['join', 'join', 'ask to be let into the call of a watched line'],
  ] as const;
  for (const [name, word, description] of wishes) {
    program
      .command(`${word} [name]`)
      .description(description)
      .action(
        printing((place, _options, line) =>
          withPhone(place, async (phone) => {
            const { call } = await phone.command(name, { name: line });
            return [call];
          }),
        ),
      );
  }
}
