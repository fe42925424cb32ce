/**
 * The whole phone with its exchange, as a user who is not root, on the GPIO and the sound card of the kernel: started while it may have neither,
 * given both, used from the hook to the far end, and in spite of a clock that leaps by ten years.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { exchangeContract } from '#firmware/contract/exchange.ts';
import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { findPlace } from '#services/cli/place.ts';

const user = 1_000;
const home = '/tmp/desk';
const program = '/usr/lib/hookswitch/dist/services/cli/main.js';
const chip = '/sys/kernel/labgpio';
const hookPin = 4;
const rows = [5, 6, 13, 19];
const columns = [20, 21, 26];
const keys = ['123', '456', '789', '*0#'].map((row) => [...row]);
/** Of the machine's own time; a start takes 5 s of it. */
const patienceMs = 120_000;
const tenYears = 10 * 365 * 86_400;

const profile = {
  name: 'lab',
  hook: { driver: 'gpio', pin: hookPin, activeLow: true, debounceMs: 20 },
  flashMs: 600,
  keypad: { driver: 'matrix', rows, columns, keys, debounceMs: 10 },
  leds: { registered: { driver: 'gpio', pin: 23 } },
  relays: {},
  inputs: {},
};
const settings = {
  'board.profile': `${home}/lab.json`,
  'audio.handset.driver': 'portaudio',
  'audio.handset.input': 'Loopback: PCM (hw:0,1)',
  'audio.handset.output': 'Loopback: PCM (hw:0,0)',
  'phone.dialPlan': '6xx',
};
const password = 'secret-of-desk';
const line = { 'line.1.aor': 'sip:desk@127.0.0.1:5070', 'line.1.password': password };

const drive = (pin: number, level: boolean) => writeFileSync(`${chip}/pull`, `${pin} ${level ? 1 : 0}`);
const lift = () => drive(hookPin, false);
const lay = () => drive(hookPin, true);
/** The chip is one of several: the machine has a GPIO controller of its own. */
const devices = ['/dev', '/dev/snd']
  .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`))
  .filter((path) => /gpiochip|snd\//.test(path));
const permit = (mode: number) => {
  for (const path of devices) chmodSync(path, mode);
};

async function dial(number: string): Promise<void> {
  for (const key of number) {
    const row = keys.findIndex((names) => names.includes(key));
    const column = keys[row]?.indexOf(key) ?? 0;
    for (const closed of [1, 0]) {
      writeFileSync(`${chip}/contact`, `${rows[row]} ${columns[column]} ${closed}`);
      await wait(200);
    }
  }
}

const asUser = { uid: user, gid: user, cwd: home, env: { PATH: '/usr/bin:/bin', HOME: home } };

/** Runs the command line as that user; gives what it prints, whatever its exit status says. */
function hookswitch(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '--data', home, ...args], asUser, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

/** A phone that runs, and the newest of its status. */
class RunningPhone {
  status: PhoneStatus | undefined;
  readonly exchange: ContractLink<typeof exchangeContract>;
  readonly link: ContractLink<typeof phoneContract>;
  readonly #run: ChildProcess;
  #log = '';

  constructor() {
    this.#run = spawn(process.execPath, [program, '--data', home, 'run', '--exchange'], { ...asUser, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#run.stdout, this.#run.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-6_000);
      });
    }
    const { runtimeDirectory } = findPlace(home, asUser.env);
    const options = { role: 'cli', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
    const listeners = { status: (status: PhoneStatus) => this.#take(status) };
    this.link = connectContract(socketPathOf(runtimeDirectory, 'phone'), phoneContract, listeners, {
      ...options,
      onUp: () => void this.link.command('status', {}).then((status) => this.#take(status)),
      onDown: () => {
        this.status = undefined;
      },
    });
    this.exchange = connectContract(socketPathOf(runtimeDirectory, 'exchange'), exchangeContract, {}, options);
  }

  async until(what: string, fits: (status: PhoneStatus) => boolean): Promise<PhoneStatus> {
    for (const begun = nodeClock.now(); ; ) {
      if (this.status && fits(this.status)) return this.status;
      if (nodeClock.now() - begun > patienceMs) throw new Error(`not ${what}: ${JSON.stringify(this.status)}\n${this.#log}`);
      await wait(20);
    }
  }

  /** A second and a half of sound from the far end. */
  async hears(): Promise<boolean> {
    const received = ({ calls: [call] }: PhoneStatus) => call?.media?.packetsReceived ?? 0;
    const before = received(await this.until('in a call', ({ calls }) => calls[0]?.state === 'active'));
    await this.until('it hears', (status) => received(status) >= before + 75);
    return true;
  }

  async stop(): Promise<void> {
    await Promise.all([this.link.stop(), this.exchange.stop()]);
    const ended = new Promise((resolve) => this.#run.once('close', resolve));
    this.#run.kill('SIGTERM');
    await ended;
  }

  #take(status: PhoneStatus): void {
    this.status = status;
  }
}

function prepare(): void {
  for (const pin of [hookPin, ...rows, ...columns]) drive(pin, true);
  permit(0o600);
  mkdirSync(home);
  writeFileSync(`${home}/lab.json`, JSON.stringify(profile));
  chownSync(home, user, user);
}

const isRegistered = ({ lines }: PhoneStatus) => lines[0]?.registration.state === 'registered';
const handsetOf = ({ sound }: PhoneStatus) => sound.devices.find(({ role }) => role === 'handset');

t.test('a phone that is denied its devices, gets them, and is used', async (t) => {
  prepare();
  await hookswitch('config', '--offline', 'set', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`));
  const begun = nodeClock.now();
  const phone = new RunningPhone();
  t.teardown(() => phone.stop());

  const denied = await phone.until(
    'without its devices',
    (status) => (status.board?.faults.length ?? 0) > 0 && handsetOf(status)?.ok === false,
  );
  t.match(denied.board?.faults, [{ element: 'keypad' }, { element: 'hook' }, { element: 'led registered' }]);
  t.comment(`hook: ${denied.board?.faults[1]?.reason}; sound: ${handsetOf(denied)?.reason}`);
  await phone.exchange.whenUp();
  // A registrar that has refused is not asked again soon: the user first.
  await phone.exchange.command('setUser', { user: 'desk', password });
  await phone.link.command('changeSettings', { set: line, unset: [] });
  t.match(await hookswitch('doctor'), /wrong {2}hook: .*\n/, 'the doctor tells of it');

  permit(0o666);
  await phone.until('its board is well', ({ board, hook }) => board?.faults.length === 0 && hook === 'onHook');
  t.pass('given back, GPIO works without a restart');
  await phone.until('its sound is well', (status) => handsetOf(status)?.ok === true);
  t.pass('so does the sound card');
  await phone.until('registered', isRegistered);
  t.comment(`registered ${Math.round(nodeClock.now() - begun)} ms of the machine after the start`);
  t.match(readFileSync(`${chip}/state`, 'latin1').split('\n')[23], /out 1/, 'the lamp of the line burns, as it was told meanwhile');

  lift();
  await phone.until('dial tone', ({ tone }) => tone === 'dial');
  await dial('600');
  t.ok(await phone.hears(), 'lifted and dialled on the keys, the echo test is heard');

  for (const [direction, step] of [
    ['forwards', tenYears],
    ['back', -2 * tenYears],
  ] as const) {
    execFileSync('date', ['-s', `@${Math.round(nodeClock.wallTime() / 1_000) + step}`]);
    t.ok(await phone.hears(), `the clock leaps ${Math.abs(step / tenYears) * 10} years ${direction}: the call goes on`);
    t.ok(isRegistered(await phone.until('it tells', () => true)), 'and the line stays registered');
  }
  t.match(await hookswitch('doctor'), /the clock says 20[01]\d-/, 'that the clock is wrong is said');
  lay();
  await phone.until('hung up', ({ calls }) => calls.length === 0);
  lift();
  await phone.until('dial tone', ({ tone }) => tone === 'dial');
  await dial('600');
  t.ok(await phone.hears(), 'with the wrong clock calls are made too');
  lay();
  await phone.until('hung up', ({ calls }) => calls.length === 0);
});
