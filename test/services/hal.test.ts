import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'valibot';
import { type BoardState, boardProfileSchema, halContract, type LessonPlan } from '#firmware/contract/hal.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { bundle } from '#test/support/bundle.ts';
import { ForeignProgram } from '#test/support/foreign-program.ts';

/** The hal daemon as a process, as systemd starts it, with several peers on its socket. */

const profile = parse(boardProfileSchema, JSON.parse(readFileSync(join(import.meta.dirname, '../../hal/boards/virtual.json'), 'utf8')));
const runtimeDirectory = mkdtempSync(join(tmpdir(), 'hs-hal-'));
t.teardown(() => rmSync(runtimeDirectory, { recursive: true }));
const main = bundle('services/hal/main.ts');

async function startHal(): Promise<ForeignProgram> {
  const env = { ...process.env, HOOKSWITCH_RUNTIME_DIR: runtimeDirectory, HOOKSWITCH_STATE_DIR: runtimeDirectory };
  const hal = new ForeignProgram(process.execPath, [main], { env });
  await hal.saw(/daemon-started/);
  return hal;
}

/** A peer of hal, and what it heard. */
class Peer {
  readonly heard: string[] = [];
  board: BoardState | undefined;
  readonly link: ContractLink<typeof halContract>;
  #changed: () => void = () => {};

  constructor(role: string) {
    const listeners = {
      hook: (event: { position: string }) => this.#hear(`hook ${event.position}`),
      key: (event: { key: string; pressed: boolean }) => this.#hear(`key ${event.key} ${event.pressed}`),
      input: (event: { name: string; active: boolean }) => this.#hear(`input ${event.name} ${event.active}`),
      board: (state: BoardState) => {
        this.board = state;
        this.#changed();
      },
    };
    const options = { role, clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
    this.link = connectContract(join(runtimeDirectory, 'hal.sock'), halContract, listeners, options);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  #hear(text: string): void {
    this.heard.push(text);
    this.#changed();
  }
}

t.test('hal serves its board', async (t) => {
  const hal = await startHal();
  t.teardown(() => hal.stop());
  const phone = new Peer('phone');
  const page = new Peer('web');
  await Promise.all([phone.link.whenUp(), page.link.whenUp()]);

  await t.test('before it is configured nobody commands outputs', async (t) => {
    await t.rejects(phone.link.command('pulseRelay', { relay: 'door', durationMs: 500 }), { code: 'not-controller' });
    t.match(await page.link.command('describe', {}), { controller: null, board: { profile: null } });
  });

  await t.test('whoever configures commands, everybody hears and may move the virtual board', async (t) => {
    t.match(await phone.link.command('configure', { profile }), { profile: 'virtual', faults: [] });
    await page.link.command('actuate', { element: 'hook', position: 'offHook' });
    await page.link.command('actuate', { element: 'key', key: '7', pressed: true });
    await page.link.command('actuate', { element: 'input', name: 'contact', active: true });
    for (const peer of [phone, page]) {
      await peer.until(() => peer.board?.inputs.contact === true);
      t.same(peer.heard, ['hook offHook', 'key 7 true', 'input contact true']);
    }
    for (const attempt of [
      page.link.command('setLed', { led: 'call', pattern: 'on' }),
      page.link.command('pulseRelay', { relay: 'door', durationMs: 500 }),
      page.link.command('releaseRelay', { relay: 'door' }),
    ]) {
      await t.rejects(attempt, { name: 'UsageError', code: 'not-controller' });
    }
    await t.rejects(phone.link.command('setLed', { led: 'moon', pattern: 'on' }), { code: 'unknown-led' });
    await phone.link.command('setLed', { led: 'call', pattern: 'fastBlink' });
    await page.until(() => page.board?.leds.call === 'fastBlink');
    t.match(await page.link.command('describe', {}), { controller: 'phone', board: { profile: 'virtual', leds: { call: 'fastBlink' } } });
  });

  await t.test('a relay is cut to its maximum and falls by itself', async (t) => {
    t.same(await phone.link.command('pulseRelay', { relay: 'door', durationMs: 60_000 }), { durationMs: 10_000 });
    await phone.link.command('releaseRelay', { relay: 'door' });
    const pulsed = performance.now();
    await phone.link.command('pulseRelay', { relay: 'door', durationMs: 200 });
    await page.until(() => page.board?.relays.door === true);
    await page.until(() => page.board?.relays.door === false);
    const lasted = performance.now() - pulsed;
    t.ok(lasted >= 199 && lasted < 1_000, `${Math.round(lasted)} ms`);
  });

  await t.test('when the controller goes, relays open and lamps go dark at once', async (t) => {
    await phone.link.command('pulseRelay', { relay: 'door', durationMs: 9_000 });
    await page.until(() => page.board?.relays.door === true);
    const left = performance.now();
    await phone.link.stop();
    await page.until(() => page.board?.relays.door === false && page.board?.leds.call === 'off');
    t.ok(performance.now() - left < 500, `${Math.round(performance.now() - left)} ms`);
    t.match(page.board, { hook: 'offHook', profile: 'virtual' }, 'what people do is still told');
    t.match(await page.link.command('describe', {}), { controller: null });
  });

  await t.test('a controller that comes takes over, and the one before may go unnoticed', async (t) => {
    const [first, second] = [new Peer('phone'), new Peer('phone')];
    await Promise.all([first.link.whenUp(), second.link.whenUp()]);
    await first.link.command('configure', { profile });
    await second.link.command('configure', { profile });
    await t.rejects(first.link.command('setLed', { led: 'call', pattern: 'on' }), { code: 'not-controller' });
    await second.link.command('pulseRelay', { relay: 'door', durationMs: 9_000 });
    await first.link.stop();
    await page.link.command('describe', {});
    t.match(await second.link.command('describe', {}), { controller: 'phone', board: { relays: { door: true } } });
    await second.link.stop();
  });

  await t.test('hardware that is not there is a fault in the answer, and hal lives', async (t) => {
    const keypad = { driver: 'hid', identity: 'ffff:ffff' } as const;
    const leds = { call: { driver: 'gpio', pin: 511, activeLow: false, debounceMs: 0 } } as const;
    const state = await page.link.command('configure', { profile: { ...profile, hook: null, keypad, leds } });
    t.match(state.faults, [
      { element: 'keypad', reason: 'no HID device ffff:ffff is plugged in' },
      { element: 'led call', reason: /GPIO/ },
    ]);
    await t.rejects(page.link.command('setLed', { led: 'call', pattern: 'on' }), { name: 'ResourceError', message: /GPIO/ });
    await page.link.command('pulseRelay', { relay: 'door', durationMs: 1_000 });
    t.pass('what is there works');
  });
  await t.test('a board is learnt by one at a time, and is the phone’s again when the learner is gone', async (t) => {
    await page.link.command('configure', { profile });
    const plan: LessonPlan = {
      driver: 'virtual',
      pins: [5, 6, 17],
      hook: true,
      keypad: 'none',
      keys: [],
      inputs: [],
      lamps: [],
      relays: [],
    };
    const start = { action: 'start', plan } as const;
    const teacher = new Peer('cli');
    await teacher.link.whenUp();
    const { learner, ask } = await teacher.link.command('learn', start);
    t.equal(ask, 'Lay the handset down and touch nothing.');
    await t.rejects(page.link.command('learn', start), { code: 'learning-already' });
    await t.rejects(page.link.command('learn', { action: 'look', learner: learner + 1 }), { code: 'not-learning' });
    await teacher.link.command('actuate', { element: 'wire', pin: 6, other: 5, closed: true });
    let signals: readonly { name: string }[] = [];
    while (signals.length === 0) ({ signals } = await teacher.link.command('learn', { action: 'look', learner }));
    t.same(signals, [{ name: 'GPIO 5–6', closed: true }]);
    await teacher.link.stop();
    await page.until(() => page.board?.profile === 'virtual');
    await t.rejects(page.link.command('learn', { action: 'look', learner }), { code: 'not-learning' });
    const again = await page.link.command('learn', start);
    await page.link.command('learn', { action: 'skip', learner: again.learner });
    // On a slow machine the board has rested meanwhile, and what is skipped is the next.
    t.not((await page.link.command('learn', { action: 'stop', learner: again.learner })).step, 'rest');
    await page.until(() => page.board?.profile === 'virtual');
  });
  await t.test('the command line teaches: it asks, shows every edge, and writes the profile', async (t) => {
    const file = join(runtimeDirectory, 'learnt.json');
    const env = { ...process.env, HOOKSWITCH_RUNTIME_DIR: runtimeDirectory };
    const words = ['board', 'learn', file, '--virtual', '--pins', '5,6,17,22,23', '--keys', '1,2', '--lamps', 'call'];
    const cli = new ForeignProgram(process.execPath, ['--import=tsx', join(import.meta.dirname, '../../services/cli/main.ts'), ...words], {
      env,
      typing: true,
    });
    t.teardown(() => cli.stop());
    const touch = (pin: number, other: number | null, closed: boolean) =>
      page.link.command('actuate', { element: 'wire', pin, other, closed });
    await cli.saw(/Lift the handset/);
    await touch(17, null, true);
    await cli.saw(/GPIO 17 closes/);
    await cli.saw(/3\/5\] Lay the handset down/);
    await touch(17, null, false);
    await cli.saw(/Press 1/);
    await touch(5, 6, true);
    await cli.saw(/found: key 1 at GPIO 5–6/);
    await touch(5, 6, false);
    await cli.saw(/Press 2/);
    await touch(6, null, true);
    await cli.saw(/found: key 2 at GPIO 6/);
    await touch(6, null, false);
    await cli.saw(/Take the power from what relays switch/);
    await cli.saw(/^ +1 begin$/);
    cli.type('1');
    await cli.saw(/GPIO 22 was switched on for 0\.8 s: what lit up or clicked\?$/);
    await cli.saw(/^ +1 call {3}2 nothing {3}3 again$/);
    cli.type('2');
    await cli.saw(/GPIO 23 was switched on/);
    cli.type('1');
    t.equal(await cli.exited, 0, cli.output);
    t.match(cli.output, /! Left out, since they are no part of the matrix: 2/);
    t.match(parse(boardProfileSchema, JSON.parse(readFileSync(file, 'utf8'))), {
      hook: { pin: 17 },
      keypad: { rows: [5], columns: [6] },
      leds: { call: { pin: 23, activeLow: false } },
    });
    await page.until(() => page.board?.profile === 'virtual');
  });
  await page.link.stop();
});

t.test('hal stops in order, and its successor takes the socket', async (t) => {
  const first = await startHal();
  await first.stop();
  t.equal(await first.exited, 0, first.output);
  t.match(first.output, /daemon-stopped/);
  const second = await startHal();
  const peer = new Peer('cli');
  await peer.link.whenUp();
  await peer.link.stop();
  await second.stop();
});
