import type { SoundDeviceListing, SoundTest } from '#firmware/contract/media.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { type Output, silently, withPhone } from './phone-commands.ts';
import type { Place } from './place.ts';

/** What the commands below are called with. */
interface Options {
  readonly json?: boolean;
}

/** Makes an action of what a command prints. */
type Printing = (action: (place: Place, options: Options, ...words: string[]) => Promise<Output>) => (...args: unknown[]) => Promise<void>;

/** As much of the program of the command line as is needed here. */
interface Program {
  command(words: string): Subcommand;
}

interface Subcommand extends Program {
  description(text: string): this;
  option(flags: string, text: string, otherwise?: boolean): this;
  action(act: (...args: unknown[]) => Promise<void>): this;
}

/** Softer than this at its loudest, a microphone hears nothing; louder than that it is cut off, dBFS. */
const deafBelow = -70;
const tooLoudAbove = -3;
/** So much louder than the room the tone of the test is heard in the microphone, dB. */
const heardAbove = 6;

/** Commands of the sound devices themselves, and of where one listens. */
export function addAudioCommands(program: Program, printing: Printing): void {
  const audio = program.command('audio').description('sound devices');
  audio
    .command('list')
    .description('all of this machine: what to write into audio.*.input and audio.*.output, channels, rates, which role uses them')
    .option('--json', 'for programs', false)
    .action(printing((place, { json = false }) => list(place, json)));
  audio
    .command('test <role>')
    .description('a tone at the handset, speaker, headset or ringer, then speak: says what the microphone heard')
    .action(printing((place, _options, role = '') => test(place, role)));
  for (const role of ['speaker', 'headset'] as const) {
    program
      .command(role)
      .description(`the ${role} key: takes the sound of a call there and back, or begins and ends one without the handset`)
      .action(printing((place) => withPhone(place, (phone) => silently(phone.command('handsFree', { role })))));
  }
}

function list(place: Place, json: boolean): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { devices } = await phone.command('soundDevices', {});
    if (json) return [JSON.stringify(devices, null, 2)];
    const { sound } = await phone.command('status', {});
    return [...devices.flatMap(deviceLines), ...(devices.length === 0 ? ['this machine has no sound device'] : []), ...roleLines(sound)];
  });
}

function test(place: Place, role: string): Promise<Output> {
  return withPhone(place, async (phone) => soundTestLines(await phone.command('testSound', { role })));
}

function deviceLines({ wish, name, inputChannels, outputChannels, sampleRate, rates, usedBy }: SoundDeviceListing): string[] {
  const channels = (count: number | null, word: string) => (count === 0 ? `no ${word}` : `${count ?? '?'} ${word}`);
  const offered = rates.length > 0 ? ` of ${rates.join(', ')}` : '';
  const facts = [
    channels(inputChannels, 'in'),
    channels(outputChannels, 'out'),
    `${sampleRate ?? '?'} Hz${offered}`,
    usedBy.length > 0 ? `used by ${usedBy.join(', ')}` : 'not used',
  ];
  return [`${wish}${name === wish ? '' : `  ${name}`}`, `    ${facts.join(' · ')}`];
}

function roleLines({ devices }: PhoneStatus['sound']): string[] {
  return devices.flatMap(({ role, ok, reason, standIn }) => {
    if (ok) return [];
    return [`${role}: ${reason ?? 'does not work'}${standIn === null ? '' : `; the ${standIn} helps out`}`];
  });
}

/** What came of a test, with what to do about it. */
function soundTestLines({ device, sampleRate, quiet, duringTone, loudest }: SoundTest): string[] {
  const lines = [`${device} at ${sampleRate} Hz gave a tone for a second`];
  if (quiet === null || duringTone === null || loudest === null) return [...lines, 'it has no microphone'];
  lines.push(`microphone: ${quiet} dBFS before the tone, ${duringTone} while it sounded, ${loudest} at its loudest after it`);
  if (Math.max(loudest, duringTone) < deafBelow) lines.push('it hears nothing: is it muted, or in the wrong socket? alsamixer shows');
  else if (Math.max(loudest, duringTone) > tooLoudAbove) lines.push('it is too loud and cut off: turn it down in alsamixer');
  else if (duringTone > quiet + heardAbove) lines.push('it hears the tone, so both work');
  else lines.push('it does not hear the tone: right for a handset or headset, else look at audio.*.volume and alsamixer');
  return lines;
}
