import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { messageOf, UsageError } from '#firmware/core/errors.ts';
import { createLogger, logLevels } from '#firmware/platform/pino-logger.ts';
import manifest from '../../package.json' with { type: 'json' };
import { addAudioCommands } from './audio-commands.ts';
import { checkBoard, drawBoard, listBoards, showBoard } from './board-commands.ts';
import {
  configExport,
  configGet,
  configImport,
  configList,
  configSet,
  configUnset,
  offlineSettings,
  onlineSettings,
  type SettingsAccess,
} from './config-commands.ts';
import { NotRunningError } from './contract-call.ts';
import { doctor } from './doctor-command.ts';
import { exchangeStatus, forwardUser, listUsers, removeUser, setUser } from './exchange-commands.ts';
import { addLadderCommand } from './ladder-command.ts';
import { learnBoard } from './learn-command.ts';
import * as phone from './phone-commands.ts';
import { findPlace, type Place } from './place.ts';
import { run } from './run.ts';
import { addSoundCommands } from './sound-commands.ts';
import { readPassword } from './terminal.ts';
import { health, undoUpdate, update } from './update-command.ts';
import { addWatchCommands } from './watch-commands.ts';

/** What the shell is told: refused or failed, called wrongly, daemon not running. */
const exitCodes = { failure: 1, usage: 2, notRunning: 3 };

const program = new Command('hookswitch')
  .description('SIP phone firmware: desk phone, door intercom, alert caller')
  .version(manifest.version)
  .addOption(new Option('--data <dir>', 'directory of the phone, as given to run').env('HOOKSWITCH_DATA'))
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    'after',
    `
Examples:
  hookswitch run --data ./phone --pretty --exchange    start everything, with readable logs
  hookswitch --data ./phone hook off                   lift the virtual handset
  hookswitch --data ./phone call sip:600@127.0.0.1     call the echo test
  hookswitch --data ./phone config list line.          what the lines are set to

Without --data or HOOKSWITCH_DATA the phone installed as a service is meant.
Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon does not run.`,
  );

addRun();
addPhoneCommands();
addWatchCommands(program, printing);
addCallCommands();
addSoundCommands(program, printing);
addAudioCommands(program, printing);
addLadderCommand(program, printing);
addHardwareCommands();
addBoardCommands();
addConfigCommands();
addExchangeCommands();
addUpdateCommands();

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read our output has seen enough (`hookswitch log | head`).
  if (error.code === 'EPIPE') process.exit();
  throw error;
});

try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = exitCodeOf(thrown);
}

/** Says what went wrong, unless commander has said it, in one line on stderr. */
function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitCodes.usage;
  process.stderr.write(`hookswitch: ${messageOf(thrown)}\n`);
  if (thrown instanceof NotRunningError) return exitCodes.notRunning;
  return thrown instanceof UsageError && thrown.code === 'usage' ? exitCodes.usage : exitCodes.failure;
}

/** What was found, to be printed; the exit code says if that is bad. */
function told({ lines, trouble }: { readonly lines: phone.Output; readonly trouble: boolean }): phone.Output {
  if (trouble) process.exitCode = exitCodes.failure;
  return lines;
}

function addRun(): void {
  program
    .command('run')
    .description('start all daemons and keep them running, until Ctrl-C or SIGTERM')
    .option('--exchange', 'start the exchange too, as the setting run.exchange does', false)
    .option('--pretty', 'logs for people instead of JSON lines', false)
    .addOption(new Option('--log-level <level>', 'least important lines to show').choices(logLevels))
    .action(async (options, command: Command) => {
      const place = placeOf(command);
      if (!place.option) throw new UsageError('usage', 'say where: hookswitch run --data DIR (or set HOOKSWITCH_DATA)');
      process.exitCode = await run(place, { pretty: options.pretty, exchange: options.exchange, logLevel: options.logLevel });
    });
}

function addPhoneCommands(): void {
  program
    .command('status')
    .description('lines, calls, hook and faults')
    .option('--json', 'everything, for programs', false)
    .action(printing((place, options) => phone.status(place, options)));
  program
    .command('doctor')
    .description('what is wrong with this phone, in plain words, and how to mend it')
    .option('--table', 'also what is well', false)
    .option('--json', 'for programs', false)
    .addHelpText('after', '\nExit codes: 0 nothing is wrong, 1 something is. Run as root it sees everything.')
    .action(printing(async (place, options) => told(await doctor(place, options))));
  program
    .command('dnd')
    .description('do not disturb')
    .addArgument(onOff())
    .option('--line <name>', 'one line only')
    .action(printing((place, options, on) => phone.doNotDisturb(place, on === 'on', options.line)));
  program
    .command('alert <name>')
    .description('start an alert: its people are called until one acknowledges')
    .action(printing((place, _options, name) => phone.alert(place, name)));
  program
    .command('callback')
    .description('after a busy tone: ring when they are free, and call them once the handset is lifted')
    .addArgument(onOff())
    .action(printing((place, _options, on) => phone.completeCall(place, on === 'on')));
  program
    .command('message <target> <text>')
    .description('send a text message; messages says what became of it')
    .option('--line <name>', 'line to send from')
    .action(printing((place, options, target, text) => phone.message(place, target, text, options.line)));
  program
    .command('messages')
    .description('the last text messages')
    .option('--json', 'for programs', false)
    .action(printing((place, options) => phone.messages(place, options)));
  program
    .command('log')
    .description('the last calls')
    .addOption(new Option('--limit <n>', 'how many').default(20).argParser(count))
    .option('--door', 'events of the doors instead', false)
    .option('--json', 'for programs', false)
    .action(printing((place, options) => (options.door ? phone.doorLog(place, options) : phone.callLog(place, options))));
}

function addCallCommands(): void {
  program
    .command('call <target>')
    .description('call a number or a SIP address')
    .option('--line <name>', 'line to call from')
    .option('--intercom', 'ask the far end to accept the call without a hand')
    .option('--hide-number', 'do not let the far end know who calls')
    .addHelpText('after', '\nExamples:\n  hookswitch call 600\n  hookswitch call sip:bob@192.168.1.20')
    .action(printing((place, options, target) => phone.call(place, target, options)));
  program
    .command('accept')
    .description('accept the call that rings')
    .option('--call <id>', 'which call')
    .action(printing((place, options) => phone.accept(place, options.call)));
  program
    .command('hangup')
    .description('end the call, or decline the one that rings')
    .option('--call <id>', 'which call')
    .action(printing((place, options) => phone.hangup(place, options.call)));
  program
    .command('digit <digits>')
    .description('press digits: dials, or sends them to the far end of the call')
    .addHelpText('after', "\nExamples:\n  hookswitch digit 5\n  hookswitch digit '**9'")
    .action(printing((place, _options, digits) => phone.digits(place, digits)));
  program
    .command('hold')
    .description('hold the call')
    .option('--call <id>', 'which call')
    .action(printing((place, options) => phone.hold(place, options.call)));
  program
    .command('resume')
    .description('take the held call back, or change to the other one')
    .option('--call <id>', 'which call')
    .action(printing((place, options) => phone.resume(place, options.call)));
  program
    .command('transfer [target]')
    .description('send the far end on to somebody else; without a target connect the far ends of the two calls')
    .option('--call <id>', 'which call is sent on')
    .addHelpText(
      'after',
      '\nExamples:\n  hookswitch transfer 201    blind: to 201, whoever that is\n  hookswitch transfer        attended: after talking to both',
    )
    .action(printing((place, options, target) => phone.transfer(place, target, options.call)));
  program
    .command('redial')
    .description('call the last number again')
    .action(printing((place) => phone.redial(place)));
}

function addHardwareCommands(): void {
  program
    .command('hook')
    .description('lift or put down the handset of the virtual board')
    .addArgument(new Argument('<position>').choices(['off', 'on', 'flash']))
    .addHelpText('after', '\n  hook off   lifts the handset (off the hook)\n  hook on    puts it down')
    .action(
      printing((place, _options, position) =>
        phone.actuate(place, { element: 'hook', position: position === 'off' ? 'offHook' : position === 'on' ? 'onHook' : 'flash' }),
      ),
    );
  program
    .command('press <key>')
    .description('press and release a key of the virtual board: 0–9, *, #, redial, hold …')
    .action(
      printing((place, _options, key) =>
        phone.actuate(place, { element: 'key', key, pressed: true }, { element: 'key', key, pressed: false }),
      ),
    );
  program
    .command('input <name>')
    .description('move an input of the virtual board, such as a bell button')
    .addArgument(onOff())
    .action(printing((place, _options, name, on) => phone.actuate(place, { element: 'input', name, active: on === 'on' })));
}

function addBoardCommands(): void {
  const board = program
    .command('board')
    .description('board profiles: what is wired to which pin')
    .addHelpText(
      'after',
      `
Examples:
  hookswitch board check my-phone.json                 exit code 0: it can work, 1: it cannot
  hookswitch board learn my-phone.json                 find out what is wired where
  hookswitch board wiring desk-phone > wiring.svg      what to solder
  hookswitch config set board.profile desk-phone       the phone uses it from now on
A profile is one that comes with the firmware, or the path of a JSON file.`,
    );
  board
    .command('list')
    .description('profiles that come with the firmware')
    .action(printing(async () => listBoards()));
  board
    .command('show <profile>')
    .description('a profile with all its defaults: the start of your own')
    .action(printing((_place, _options, profile) => showBoard(profile)));
  board
    .command('check <profile>')
    .description('whether it can work, and which pin is what')
    .action(
      printing(async (_place, _options, profile) => {
        const { lines, wrong } = await checkBoard(profile);
        if (wrong) process.exitCode = exitCodes.failure;
        return lines;
      }),
    );
  board
    .command('learn <file>')
    .description('asks you to lift the handset and press each key, shows every edge, and writes the profile')
    .option('--rotary', 'it has a dial instead of keys', false)
    .option('--no-hook', 'it has no hook switch')
    .option('--keys <keys>', 'keys in the order you press them', list, [...'123456789*0#'])
    .option('--inputs <names>', 'contacts and sensors to find too: button,contact,pir', list, [])
    .option('--lamps <names>', 'lamps to find, by switching free lines: call,message', list, [])
    .option('--relays <names>', 'relays to find likewise, each for 0.8 s at most: door', list, [])
    .option('--pins <pins>', 'GPIO numbers to look at; otherwise every free one', pinList, [])
    .option('--virtual', 'wires of the virtual board, for trying it out', false)
    .action(async (file, { rotary, hook, keys, inputs, lamps, relays, pins, virtual }, command: Command) => {
      const keypad = rotary ? 'rotary' : keys.length > 0 ? 'keys' : 'none';
      const plan = { driver: virtual ? 'virtual' : 'gpio', pins, hook, keypad, keys, inputs, lamps, relays } as const;
      const lines = await learnBoard(placeOf(command), { plan, file, input: process.stdin, output: process.stdout });
      for (const line of lines) process.stdout.write(`${line}\n`);
    });
  board
    .command('wiring <profile>')
    .description('drawing of the wires, as SVG')
    .action(printing((_place, _options, profile) => drawBoard(profile)));
}

function addConfigCommands(): void {
  const config = program
    .command('config')
    .description('read and change settings')
    .option('--offline', 'in the database itself, while the daemon does not run', false)
    .addHelpText(
      'after',
      `
Examples:
  hookswitch config list sip.
  hookswitch config set phone.digitMode rfc4733
  hookswitch config set line.1.aor=sip:alice@pbx.lan line.1.password=-     password from stdin
  hookswitch config export backup.json --reveal
Secrets are shown as •••••• unless --reveal is given.`,
    );
  const reveal = () => new Option('--reveal', 'show secrets').default(false);
  config
    .command('get <key>')
    .description('value of one setting')
    .addOption(reveal())
    .action(configuring((access, options, key) => configGet(access, key, options)));
  config
    .command('set <assignment...>')
    .description('KEY VALUE, or KEY=VALUE for each setting; all or none')
    .action(configuring((access, _options, ...words) => configSet(access, words)));
  config
    .command('unset <key...>')
    .description('go back to the default')
    .action(configuring((access, _options, ...keys) => configUnset(access, keys)));
  config
    .command('list [prefix]')
    .description('settings and their values')
    .addOption(reveal())
    .option('--changed', 'only those that are not at their default', false)
    .option('--json', 'for programs', false)
    .action(configuring((access, options, prefix) => configList(access, prefix ?? '', options)));
  config
    .command('import <file>')
    .description('take over an export (- = stdin); settings it does not name go back to their defaults')
    .action(configuring((access, _options, file) => configImport(access, file)));
  config
    .command('export [file]')
    .description('settings of the phone as JSON; masked secrets stay as they are when it is imported')
    .addOption(reveal())
    .action(configuring((access, options, file) => configExport(access, file, options)));
}

function addExchangeCommands(): void {
  const exchange = program.command('exchange').description('the small registrar and proxy of a house without a PBX');
  exchange
    .command('status')
    .description('users, registrations and calls')
    .option('--json', 'for programs', false)
    .action(printing((place, options) => exchangeStatus(place, options)));
  const user = exchange.command('user').description('who may register');
  user
    .command('add <name>')
    .description('add a user or change the password, which is asked for or read from stdin')
    .option('--password <password>', 'visible to others in the list of processes: prefer stdin')
    .action(
      printing(async (place, options, name) => setUser(place, name, options.password ?? (await readPassword(`password of ${name}: `)))),
    );
  user
    .command('remove <name>')
    .description('remove a user')
    .action(printing((place, _options, name) => removeUser(place, name)));
  user
    .command('list')
    .description('users and where they are registered')
    .option('--json', 'for programs', false)
    .action(printing((place, options) => listUsers(place, options)));
  user
    .command('forward <name> <target>')
    .description('send callers of a user to a SIP address; off ends it')
    .action(printing((place, _options, name, target) => forwardUser(place, name, target === 'off' ? null : target)));
}

function addUpdateCommands(): void {
  const seconds = (flag: string, text: string, otherwise: number) =>
    new Option(`${flag} <seconds>`, text).default(otherwise).argParser(count);
  program
    .command('update [package]')
    .description('install a signed package, a file or an https address; the version before comes back when the new one does not do well')
    .option('--force', 'also one that is not later than what is installed', false)
    .option('--back', 'put the version before the last update back, with its settings and logs', false)
    .addOption(seconds('--within', 'how long the new version may take until all is as well as before', 120))
    .addHelpText(
      'after',
      `
Its signature is beside it, with .sig added to its name, and is verified with /etc/hookswitch/release.pub or the key that came with the package.
Exit codes: 0 updated, 1 refused or undone.`,
    )
    .action(async (source: string | undefined, { force, back, within }, command: Command) => {
      if (back === (source !== undefined)) throw new UsageError('usage', 'say which package, or --back');
      const say = (line: string): void => void process.stdout.write(`${line}\n`);
      const place = placeOf(command);
      const done = source === undefined ? await undoUpdate(place, say) : await update(place, source, { force, within, say });
      if (!done) process.exitCode = exitCodes.failure;
    });
  program
    .command('health')
    .description('what works now, as JSON; with --since whether all of that works still')
    .option('--since <file>', 'what this command wrote before')
    .addOption(seconds('--within', 'how long to wait until it does', 30))
    .action(async ({ since, within }, command: Command) => {
      for (const line of told(await health(placeOf(command), since, within))) process.stdout.write(`${line}\n`);
    });
}

/** An action that prints what it returns. Commander passes the arguments, the options, and the command last. */
function printing(
  action: (place: Place, options: Options, ...words: string[]) => Promise<phone.Output>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const words = args.slice(0, -2).flat() as string[];
    for (const line of await action(placeOf(command), command.optsWithGlobals<Options>(), ...words)) process.stdout.write(`${line}\n`);
  };
}

function configuring(
  action: (access: SettingsAccess, options: Options, ...words: string[]) => Promise<phone.Output>,
): (...args: unknown[]) => Promise<void> {
  return printing((place, options, ...words) => {
    const logger = createLogger({ daemon: 'cli', level: 'warn', journal: false, destination: process.stderr });
    return action(options.offline ? offlineSettings(place, logger) : onlineSettings(place), options, ...words);
  });
}

/** The options that commands declare above; commander knows their types only where they are declared. */
interface Options {
  readonly json: boolean;
  readonly reveal: boolean;
  readonly changed: boolean;
  readonly offline: boolean;
  readonly table: boolean;
  readonly door: boolean;
  readonly limit: number;
  readonly call?: string;
  readonly line?: string;
  readonly password?: string;
}

function placeOf(command: Command): Place {
  return findPlace(command.optsWithGlobals<{ data?: string }>().data, process.env);
}

function onOff(): Argument {
  return new Argument('<on|off>').choices(['on', 'off']);
}

/** Words with commas between; none for an empty text. */
function list(text: string): string[] {
  return text.split(',').filter((word) => word !== '');
}

function pinList(text: string): number[] {
  const pins = list(text).map(Number);
  if (pins.some((pin) => !Number.isInteger(pin) || pin < 0)) throw new InvalidArgumentError('It must be GPIO numbers, as 5,6,13.');
  return pins;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) throw new InvalidArgumentError('It must be a whole number in 1–1000.');
  return value;
}
