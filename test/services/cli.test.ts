import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { listenOn, maximumSocketPath } from '#firmware/platform/socket-path.ts';
import { findPlace, makePlace } from '#services/cli/place.ts';
import { bundle } from '../support/bundle.ts';
import { FakePhone, sampleRecording, sampleSound } from './fake-phone.ts';

const directory = mkdtempSync(join(tmpdir(), 'hs-cli-'));
t.teardown(() => rmSync(directory, { recursive: true }));
const main = bundle('services/cli/main.ts');
const phoneDirectory = join(directory, 'phone');

interface Outcome {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

t.test('without a daemon', async (t) => {
  t.test('every command that needs one says so in one line and exits 3', async (t) => {
    const commands = ['status', 'call 600', 'hangup', 'digit 1', 'log', 'config get sip.port', 'exchange user list'];
    for (const [i, { code, out, err }] of (await Promise.all(commands.map((words) => cli(words)))).entries()) {
      t.equal(code, 3, String(commands[i]));
      t.equal(out, '');
      t.match(err, /^hookswitch: the (phone|exchange) daemon does not run .*start it with: hookswitch run --data .*\n$/);
      t.equal(err.split('\n').length, 2, 'one line');
    }
  });

  t.test('a command that is called wrongly exits 2', async (t) => {
    const commands = ['frobnicate', 'dnd perhaps', 'hook sideways', 'call', 'log --limit 0', 'digit 12x', 'config set sip.port', 'run'];
    const outcomes = await Promise.all(commands.map((words) => cli(words, { directory: words === 'run' ? '' : phoneDirectory })));
    for (const [i, { code, err }] of outcomes.entries()) {
      t.equal(code, 2, String(commands[i]));
      t.match(err, /\S/);
    }
  });

  t.test('help helps', async (t) => {
    const [all, set, run] = await Promise.all([cli('--help'), cli('config --help'), cli('run --help')]);
    t.equal(all.code, 0);
    for (const word of [
      'run',
      'status',
      'doctor',
      'call',
      'accept',
      'hangup',
      'digit',
      'hook',
      'log',
      'config',
      'alert',
      'exchange',
      'hold',
      'resume',
      'redial',
      'dnd',
      'press',
      'input',
    ]) {
      t.match(all.out, new RegExp(`^  ${word}\\b`, 'm'));
    }
    t.match(all.out, /Examples:\n.*hookswitch run --data/);
    t.match(all.out, /Exit codes: 0 done, 1 refused or failed, 2 called wrongly, 3 the daemon does not run/);
    t.match(set.out, /Examples:/);
    t.match(run.out, /--exchange/);
  });
});

t.test('board profiles are listed, shown, checked and drawn without a daemon', async (t) => {
  const wrong = join(directory, 'wrong.json');
  const unfit = join(directory, 'unfit.json');
  const profile = { name: 'mine', hook: null, keypad: null, leds: { call: { driver: 'gpio', pin: 5 } }, relays: {}, inputs: {} };
  writeFileSync(wrong, JSON.stringify({ ...profile, inputs: { button: { driver: 'gpio', pin: 5, pull: 'up' } } }));
  writeFileSync(unfit, JSON.stringify({ ...profile, flashMS: 1, leds: { call: { driver: 'gpoi' } } }));
  const [list, show, good, bad, worse, none, drawing] = await Promise.all([
    cli('board list'),
    cli('board show desk-phone'),
    cli('board check desk-phone'),
    cli(`board check ${wrong}`),
    cli(`board check ${unfit}`),
    cli('board check no-such'),
    cli('board wiring rotary-phone'),
  ]);
  t.match(list.out, /^desk-phone +The shell of an old desk phone/m);
  t.match(JSON.parse(show.out), { name: 'desk-phone', gpio: 'auto', hook: { pin: 17 } }, 'with its defaults');
  t.equal(good.code, 0);
  t.match(good.out, /^pin 11 {3}GPIO 17 {2}hook$/m);
  t.equal(bad.code, 1);
  t.match(bad.out, /^error {4}input button: GPIO 5 is taken by led call already\n/);
  t.equal(worse.code, 1);
  t.match(worse.out, /leds\.call\.driver: .*"gpio" \| "virtual" \| "hid".*\n.*flashMS: there is no such field/);
  t.equal(none.code, 1);
  t.match(none.err, /no-such: ENOENT.*; ready ones: virtual, bare-handset/);
  t.match(drawing.out, /^<svg .*<\/svg>\n$/s);
});

t.test('settings in the database itself', async (t) => {
  t.test('are set, shown, exported and imported; secrets stay masked', async (t) => {
    const set = await cli('config --offline set line.1.aor=sip:alice@pbx line.1.password=- exchange.port=5099', { input: 'hunter2\n' });
    t.same([set.code, set.err], [0, '']);
    t.equal(set.out, 'changed: exchange.port, line.1.aor, line.1.password\n');
    t.equal(statSync(join(phoneDirectory, 'phone.db')).mode & 0o077, 0);

    const file = join(directory, 'export.json');
    const [list, json, masked, revealed, exported, toFile] = await Promise.all([
      cli('config list --offline --changed'),
      cli('config list line.1.pass --offline --json'),
      cli('config get --offline line.1.password'),
      cli('config get --offline line.1.password --reveal'),
      cli('config export --offline'),
      cli(`config export --offline --reveal ${file}`),
    ]);
    t.match(list.out, /line\.1\.aor +sip:alice@pbx\n.*••••••/);
    t.match(list.out, /exchange\.port +5099/);
    t.same(JSON.parse(json.out), { 'line.1.password': '••••••' });
    t.equal(masked.out, '••••••\n');
    t.equal(revealed.out, 'hunter2\n');
    for (const { out } of [set, list, json, masked, exported, toFile]) t.notMatch(out, 'hunter2');
    t.match(readFileSync(file, 'utf8'), 'hunter2');
    t.equal(statSync(file).mode & 0o077, 0, 'an export with secrets is closed to others');

    t.same((await cli('config unset --offline line.1.aor line.1.password')).out, 'changed: line.1.aor, line.1.password\n');
    t.same((await cli(`config import --offline ${file}`)).out, 'changed: line.1.aor, line.1.password\n');
    t.same((await cli('config import --offline -', { input: exported.out })).out, 'nothing changed\n');
    t.equal((await cli('config get --offline line.1.password --reveal')).out, 'hunter2\n');
  });

  t.test('that are wrong are refused in one line and exit 1', async (t) => {
    const commands = ['set sip.prot 1', 'set sip.port 99999', 'get no.such', 'import /no/such/file', 'set __proto__ x'];
    const outcomes = await Promise.all(commands.map((words) => cli(`config --offline ${words}`)));
    for (const [i, { code, err }] of outcomes.entries()) {
      t.equal(code, 1, String(commands[i]));
      t.equal(err.split('\n').length, 2);
    }
    t.match(outcomes[0]?.err, /did you mean sip\.port\?/);
    t.match(outcomes[1]?.err, /sip\.port must be a whole number in 1–65535/);
  });
});

t.test('with a daemon', async (t) => {
  const phone = new FakePhone();
  const place = findPlace(phoneDirectory, {});
  makePlace(place);
  await phone.start(place.runtimeDirectory);
  t.teardown(() => phone.stop());

  t.test('commands arrive as they are meant', async (t) => {
    const commands: readonly (readonly [string, readonly string[]])[] = [
      ['call sip:600@pbx --line 1', ['call {"target":"sip:600@pbx","line":"1"}']],
      ['accept --call c1', ['accept {"call":"c1"}']],
      ['hangup', ['hangup {}']],
      ['digit **9a', ['*', '*', '9', 'A'].map((digit) => `digit {"digit":"${digit}"}`)],
      ['digit flash', ['digit {"digit":"flash"}']],
      ['hold', ['hold {}']],
      ['conference', ['conference {}']],
      ['play hello.wav', ['play {"file":"hello.wav","repeat":1}']],
      ['play --stop', ['stopPlaying {}']],
      ['page hall', ['page {"group":"hall"}']],
      ['page hall --wav gong.wav', ['page {"group":"hall","file":"gong.wav"}']],
      ['page --stop', ['stopPage {}']],
      ['record', ['record {"on":true}']],
      ['record off --call c2', ['record {"on":false,"call":"c2"}']],
      [`recordings delete ${sampleRecording}`, [`deleteRecording {"name":"${sampleRecording}"}`]],
      ['conference --call c2', ['conference {"call":"c2"}']],
      ['speaker', ['handsFree {"role":"speaker"}']],
      ['headset', ['handsFree {"role":"headset"}']],
      ['level --call c2 -- -6', ['setLevel {"call":"c2","decibels":-6}']],
      ['resume --call c2', ['resume {"call":"c2"}']],
      ['dnd on --line 1', ['setDoNotDisturb {"on":true,"line":"1"}']],
      ['dnd off', ['setDoNotDisturb {"on":false}']],
      ['hook off', ['actuate {"element":"hook","position":"offHook"}']],
      ['hook on', ['actuate {"element":"hook","position":"onHook"}']],
      ['hook flash', ['actuate {"element":"hook","position":"flash"}']],
      ['press #', ['actuate {"element":"key","key":"#","pressed":true}', 'actuate {"element":"key","key":"#","pressed":false}']],
      ['input bell on', ['actuate {"element":"input","name":"bell","active":true}']],
      ['pickup', ['pickUp {}']],
      ['join kitchen', ['join {"name":"kitchen"}']],
      ['alert flood', ['alert {"alert":"flood"}']],
    ];
    for (const [words, expected] of commands) {
      phone.commands.length = 0;
      const { code, err } = await cli(words);
      t.same([code, err], [0, ''], words);
      t.same(phone.commands, expected, words);
    }
  });

  t.test('sound devices are listed with their roles, and one is tested', async (t) => {
    t.equal(
      (await cli('audio list')).out,
      [
        'usb:0d8c:0014  USB Audio Device',
        '    1 in · 2 out · 48000 Hz of 44100, 48000 · used by handset, ringer',
        'speaker: there is no sound output named usb:0d8c:0014; the handset helps out',
        '',
      ].join('\n'),
    );
    t.match(JSON.parse((await cli('audio list --json')).out), [{ wish: 'usb:0d8c:0014', usedBy: ['handset', 'ringer'] }]);
    phone.commands.length = 0;
    const { out } = await cli('audio test handset');
    t.same(phone.commands, ['testSound {"role":"handset"}']);
    t.match(
      out,
      /usb:0d8c:0014 at 48000 Hz gave a tone.*\nmicrophone: -62 dBFS before the tone, -40 while it sounded.*\nit hears the tone, so both work/,
    );
    t.match(await cli('audio test'), { code: 2, err: /missing required argument/ });
  });

  t.test('recordings are listed, and saved portion by portion where nothing is yet', async (t) => {
    t.equal((await cli('recordings list')).out, `${sampleRecording}  1:00  1.8 MB\n`);
    const file = join(directory, 'saved.wav');
    t.match(await cli(`recordings save ${sampleRecording} ${file}`), { code: 0, out: `${file}: 14 bytes\n` });
    t.equal(readFileSync(file, 'utf8'), sampleSound);
    t.equal(statSync(file).mode & 0o777, 0o600);
    t.match(await cli(`recordings save ${sampleRecording} ${file}`), { code: 1, err: /EEXIST/ });
    t.match(await cli(`recordings save none.wav ${file}-2`), { code: 1, err: 'hookswitch: there is no recording none.wav\n' });
    t.match(await cli(`recordings delete ../../etc/passwd`), { code: 1 });
    t.match(await cli('record perhaps'), { code: 2, err: /neither on nor off/ });
  });

  t.test('the messages of a call are a ladder; another is chosen by number or words', async (t) => {
    const ladder = await cli('ladder');
    t.match(ladder.out, /^INVITE bob@b\.example\nCall-ID a84b4c76@b, from /);
    t.match(ladder.out, /^\+0\.000 s {2}phone ─+ INVITE ─+► udp:192\.0\.2\.1:5060 {2}1 INVITE, 245 octets$/m);
    t.match(ladder.out, /^\+0\.040 s {2}phone ◄─+ 486 Busy Here ─+ udp:192\.0\.2\.1:5060 {2}1 INVITE$/m);
    t.match((await cli('ladder --list')).out, /^1 .* INVITE {2}bob@b\.example {2}486 Busy Here {2}a84b4c76@b\n$/);
    for (const which of ['1', 'bob@', 'a84b']) t.equal((await cli(`ladder ${which}`)).out, ladder.out, which);
    t.match(JSON.parse((await cli('ladder --json')).out), { callId: 'a84b4c76@b', messages: { length: 2 } });
    for (const which of ['2', 'carol']) {
      t.match(await cli(`ladder ${which}`), { code: 1, err: `no messages are kept of ${which}; hookswitch ladder --list shows what is\n` });
    }
  });

  t.test('what the phone refuses, and what breaks the contract, is one line and exit 1', async (t) => {
    const [refused, invalid] = await Promise.all([cli('call nobody'), cli('input Bell! on')]);
    t.same([refused.code, refused.err], [1, 'hookswitch: there is no line to call from\n']);
    t.equal(invalid.code, 1);
    t.match(invalid.err, /actuate: name: a name is a–z, 0–9/);
  });

  t.test('the state is shown to people and to programs', async (t) => {
    const [people, programs, log, noLog, door, redial] = await Promise.all(
      ['status', 'status --json', 'log', 'log --limit 1', 'log --door', 'redial'].map((words) => cli(words)),
    );
    const shown = people?.out ?? '';
    t.match(shown, 'does not answer: media\n');
    t.match(shown, 'line 1 sip:alice@pbx: rejected (403 Forbidden), next try in 60 s, do not disturb, 2 new messages\n');
    t.match(shown, 'hook offHook, tone dial, dialed 60\n');
    t.match(shown, 'call c7 to Echo <sip:600@pbx>: active, 0:05, digits 3*, far end took INFO application/dtmf-relay\n');
    t.match(shown, '3 missed calls\n');
    t.match(shown, 'alert flood: calling, round 2, sip:bob@b\n');
    t.match(JSON.parse(programs?.out ?? ''), { hook: 'offHook', calls: [{ call: 'c7' }] });
    t.match(log?.out, /^2023-11-1\d \d\d:\d\d:\d\d {2}to {2}Echo <sip:600@pbx> {2}accepted {2}1:05\n$/);
    t.equal(noLog?.out, 'no calls yet\n');
    t.match(door?.out, /front {2}released {2}sip:bob@b {2}info/);
    t.equal(redial?.out, 'call c8\n');
  });

  t.test('the database is left to it, and a second phone on the same data is refused', async (t) => {
    const [offline, run] = await Promise.all([cli('config --offline get sip.port'), cli('run')]);
    t.equal(offline.code, 1);
    t.match(offline.err, /the phone daemon runs: leave out --offline/);
    t.equal(run.code, 1);
    t.match(run.err, /runs already on/);
  });
});

t.test('run is refused where another run is', async (t) => {
  const other = join(directory, 'other');
  const place = findPlace(other, {});
  makePlace(place);
  const lock = createServer((socket) => socket.destroy());
  await listenOn(lock, join(place.runtimeDirectory, 'supervisor.sock'));
  const { code, err } = await cli('run', { directory: other });
  t.equal(code, 1);
  t.equal(err, `hookswitch: hookswitch runs already on ${other}\n`);
  t.notOk(existsSync(join(other, 'phone.db')), 'nothing was touched');
  lock.close();
});

t.test('a place', async (t) => {
  t.test('has its sockets inside the data directory, or in a short one of its own when that is too long', async (t) => {
    t.same(findPlace('/srv/phone', {}), {
      runtimeDirectory: '/srv/phone/run',
      stateDirectory: '/srv/phone',
      exchangeDirectory: '/srv/phone',
      option: ' --data /srv/phone',
    });
    const long = `/srv/${'x'.repeat(100)}`;
    const { runtimeDirectory } = findPlace(long, { XDG_RUNTIME_DIR: '/run/user/7' });
    t.match(runtimeDirectory, /^\/run\/user\/7\/hookswitch-\d+-[0-9a-f]{16}$/);
    t.equal(findPlace(undefined, { HOOKSWITCH_DATA: long, XDG_RUNTIME_DIR: '/run/user/7' }).runtimeDirectory, runtimeDirectory);
    t.ok(Buffer.byteLength(join(runtimeDirectory, 'supervisor.sock')) <= maximumSocketPath);
    t.not(findPlace(`${long}y`, { XDG_RUNTIME_DIR: '/run/user/7' }).runtimeDirectory, runtimeDirectory);
  });

  t.test('is that of the services without a data directory', async (t) => {
    t.match(findPlace(undefined, {}), { runtimeDirectory: '/run/hookswitch', stateDirectory: '/var/lib/hookswitch', option: '' });
  });

  t.test('is refused when something else is where its sockets should be', async (t) => {
    const blocked = join(directory, 'blocked');
    mkdirSync(blocked);
    writeFileSync(join(blocked, 'run'), '');
    t.throws(() => makePlace(findPlace(blocked, {})), /EEXIST|belongs to somebody else/);
  });
});

async function cli(words: string, options: { input?: string; directory?: string } = {}): Promise<Outcome> {
  const { HOOKSWITCH_DATA: _, ...environment } = process.env;
  const place = options.directory ?? phoneDirectory;
  const child = spawn(process.execPath, [main, ...words.split(' ')], {
    env: place === '' ? environment : { ...environment, HOOKSWITCH_DATA: place },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (bytes) => {
    out += String(bytes);
  });
  child.stderr.on('data', (bytes) => {
    err += String(bytes);
  });
  child.stdin.end(options.input ?? '');
  const [code] = await once(child, 'close');
  return { code, out, err };
}
