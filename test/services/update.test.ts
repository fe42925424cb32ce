import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Health, HealthWatch, healthOf, lostSince } from '#services/cli/health.ts';
import { bringPackage, isSignedBy } from '#services/cli/package-source.ts';
import { rootKind } from '#services/cli/update-command.ts';
import { refusalOfMachine, refusalOfPackage, type UpdateMachine } from '#services/cli/update-judgement.ts';
import { sampleStatus } from './fake-phone.ts';

const root = join(import.meta.dirname, '../..');
const machine: UpdateMachine = {
  isRoot: true,
  version: '1.0-5',
  architecture: 'arm64',
  root: 'kept',
  freeBytes: 5e9,
  callsOn: 0,
  isUpdating: false,
};
const well: Health = {
  version: '1.0',
  daemons: ['hal', 'media', 'phone'],
  registered: ['main'],
  sound: ['handset'],
  faults: [],
  generation: 'a',
};

t.test('an update is refused, with what to do, where it cannot end well', async (t) => {
  t.equal(refusalOfMachine(machine), undefined);
  for (const [more, reason] of [
    [{ isRoot: false }, /sudo hookswitch update/],
    [{ version: undefined }, /scripts\/install/],
    [{ isUpdating: true }, /under way/],
    [{ root: 'read-only' }, /remount,rw/],
    [{ root: 'forgotten' }, /make it writable/],
    [{ freeBytes: 3e8 }, /300 MB are free, 500/],
    [{ callsOn: 1 }, /a call is on/],
  ] as const) {
    t.match(refusalOfMachine({ ...machine, ...more }), reason);
  }
  const facts = { name: 'hookswitch', version: '1.0-6', architecture: 'arm64' };
  t.equal(refusalOfPackage(facts, machine, 'later', false), undefined);
  t.match(refusalOfPackage({ ...facts, name: 'nano' }, machine, 'later', true), /package of nano/);
  t.match(refusalOfPackage({ ...facts, architecture: 'armhf' }, machine, 'later', true), /for armhf, this machine is arm64/);
  t.match(refusalOfPackage(facts, machine, 'same', false), /installed already/);
  t.match(refusalOfPackage({ ...facts, version: '1.0-4' }, machine, 'earlier', false), /1\.0-4 is earlier than 1\.0-5/);
  for (const order of ['same', 'earlier'] as const) t.equal(refusalOfPackage(facts, machine, order, true), undefined, 'unless forced');
});

t.test('a root that forgets or cannot be written is told from one that keeps', async (t) => {
  t.equal(rootKind('/dev/sda2 / ext4 rw,relatime 0 0\n/dev/sda1 /boot vfat ro 0 0\n', 'root=/dev/sda2'), 'kept');
  t.equal(rootKind('/dev/sda2 / ext4 ro,relatime 0 0\n', ''), 'read-only');
  t.equal(rootKind('overlayroot / overlay rw 0 0\n', 'overlayroot=tmpfs:recurse=0'), 'forgotten');
  t.equal(rootKind('overlay / overlay rw 0 0\n', ''), 'kept', 'a container');
});

t.test('what worked before must work after it', async (t) => {
  t.strictSame(lostSince(well, well), []);
  t.strictSame(lostSince({ ...well, registered: [], sound: [] }, well), [], 'more may work');
  for (const [now, reason] of [
    [{ daemons: ['hal', 'media'] }, 'the phone daemon does not answer'],
    [{ daemons: ['hal', 'phone'] }, 'the media daemon does not answer'],
    [{ version: '' }, 'the phone does not tell its status'],
    [{ registered: [] }, 'line main is not registered'],
    [{ sound: [] }, 'sound of the handset does not work'],
    [{ faults: ['led'] }, 'led is out of order'],
  ] as const) {
    t.strictSame(lostSince(well, { ...well, ...now }), [reason]);
  }
  t.strictSame(lostSince({ ...well, daemons: [] }, { ...well, daemons: [] }), ['the phone daemon does not answer'], 'the phone always');
  const unit = { state: 'active', result: '', exitStatus: 0, statusText: '', processId: 7 };
  const daemons = [
    { name: 'phone', answers: true, forbidden: false, unit },
    { name: 'web', answers: false, forbidden: false },
  ];
  const health = healthOf({ daemons, status: sampleStatus, sound: { handset: { ok: true }, ringer: { ok: false } } });
  t.match(health, { version: sampleStatus.version, daemons: ['phone'], sound: ['handset'], generation: /^phone:7 web: / });
});

t.test('well is what stays well, with no daemon starting anew', async (t) => {
  const judge = (looks: readonly (readonly [number, Partial<Health>])[]) => {
    const watch = new HealthWatch(well, 60_000);
    return { verdicts: looks.map(([now, more]) => watch.look(now, { ...well, ...more })), reasons: watch.reasons };
  };
  t.strictSame(
    judge([
      [0, { registered: [] }],
      [5_000, {}],
      [12_900, {}],
      [13_000, {}],
    ]).verdicts,
    ['wait', 'wait', 'wait', 'well'],
  );
  const crashing = judge([0, 7_000, 14_000, 59_000, 60_000].map((now) => [now, { generation: `${now}` }]));
  t.strictSame(crashing, { verdicts: ['wait', 'wait', 'wait', 'wait', 'ill'], reasons: ['its daemons do not keep running'] });
  t.strictSame(judge([[60_001, { sound: [] }]]), { verdicts: ['ill'], reasons: ['sound of the handset does not work'] });
});

t.test('a package is fetched by https alone, or copied, its signature with it', async (t) => {
  const folder = t.testdir({ 'a.deb': 'package', 'a.deb.sig': 'signature' });
  const target = join(folder, 'b.deb');
  const fetched = () => [target, `${target}.sig`].map((path) => readFileSync(path, 'utf8'));
  await bringPackage(join(folder, 'a.deb'), target);
  t.strictSame(fetched(), ['package', 'signature']);
  await t.rejects(bringPackage(join(folder, 'none.deb'), target), /none\.deb cannot be read/);
  writeFileSync(join(folder, 'a.deb.sig'), Buffer.alloc(65));
  await t.rejects(bringPackage(join(folder, 'a.deb'), target), /a\.deb\.sig is too large/);

  const asked: string[] = [];
  const site = (answers: Readonly<Record<string, () => Response>>) => async (url: unknown) => {
    asked.push(String(url));
    return answers[String(url)]?.() ?? new Response('', { status: 404, statusText: 'Not Found' });
  };
  const to = (location: string) => () => new Response('', { status: 302, headers: { location } });
  const good = {
    'https://x/a.deb': to('/real.deb'),
    'https://x/real.deb': () => new Response('P'),
    'https://x/a.deb.sig': () => new Response('S'),
  };
  await bringPackage('https://x/a.deb', target, site(good) as typeof fetch);
  t.strictSame(fetched(), ['P', 'S']);
  for (const [source, answers, reason] of [
    ['http://x/a.deb', good, /http:\/\/x\/a\.deb is not fetched: only https/],
    ['https://x/a.deb', { ...good, 'https://x/a.deb': to('http://x/real.deb') }, /only https/],
    ['https://x/a.deb', { 'https://x/a.deb': to('https://x/a.deb') }, /again and again/],
    ['https://x/none.deb', good, /404 Not Found/],
    ['https://x/a.deb', { ...good, 'https://x/a.deb.sig': () => new Response('S'.repeat(65)) }, /larger than 64/],
    ['file:///a.deb', good, /only https/],
  ] as const) {
    await t.rejects(bringPackage(source, target, site(answers) as typeof fetch), reason);
  }
  t.notOk(
    asked.some((url) => url.startsWith('http:')),
    'nothing is ever asked in the clear',
  );
  const unreachable = () => Promise.reject(new TypeError('fetch failed', { cause: new Error('no way') }));
  await t.rejects(bringPackage('https://x/a.deb', target, unreachable), /cannot be fetched: no way/);
});

t.test('a signature counts when it is of this package by this key', async (t) => {
  const folder = t.testdir({ deb: 'package', text: 'no key' });
  const at = (name: string) => join(folder, name);
  const pem = (name: string, key: ReturnType<typeof generateKeyPairSync>['publicKey']) => {
    writeFileSync(at(name), key.export({ type: 'spki', format: 'pem' }));
    return at(name);
  };
  const ours = generateKeyPairSync('ed25519');
  const key = pem('key.pub', ours.publicKey);
  writeFileSync(at('deb.sig'), sign(null, Buffer.from('package'), ours.privateKey));
  t.equal(isSignedBy(at('deb'), key), true);
  t.equal(isSignedBy(at('deb'), pem('other.pub', generateKeyPairSync('ed25519').publicKey)), false);
  writeFileSync(at('deb'), 'packagE');
  t.equal(isSignedBy(at('deb'), key), false);
  writeFileSync(at('deb.sig'), 'short');
  t.equal(isSignedBy(at('deb'), key), false);
  t.throws(() => isSignedBy(at('deb'), at('text')), /no public key/);
  t.throws(() => isSignedBy(at('deb'), pem('rsa.pub', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)), /Ed25519/);
});

/** A machine for the installer: dpkg, systemctl and hookswitch are lines of shell that write down what they are asked. */
class Bench {
  readonly folder: string;

  constructor(folder: string, faults: { readonly next?: boolean; readonly previous?: boolean; readonly ill?: boolean } = {}) {
    this.folder = folder;
    for (const name of ['bin', 'update', 'state', 'faults', 'system/usr/bin']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'system/usr/bin/hookswitch'), 'version 1');
    for (const [fault, there] of Object.entries(faults)) if (there) writeFileSync(join(folder, 'faults', fault), '');
    const info = join(folder, 'info');
    writeFileSync(info, '');
    // Each program counts down; at zero the power goes.
    const tick = 'left=$(cat "$B/left"); [ "$left" -gt 0 ] || { kill -KILL $PPID; exit 1; }; echo $((left - 1)) > "$B/left"';
    this.#program('dpkg', `${tick}; p=next; grep -q 1 "$3" && p=previous; [ ! -e "$B/faults/$p" ] || exit 1; cp "$3" "$B/installed"`);
    this.#program('dpkg-query', `case $1 in --listfiles) echo /.;; --status) echo Version: 1;; *) echo ${info};; esac`);
    this.#program('dpkg-deb', `${tick}; [ -e "$5/DEBIAN/postinst" ] || exit 1; cp "$B/installed" "$6"`);
    this.#program('systemctl', `${tick}; echo "$*" >> "$B/calls"; case "$*" in start*) cp "$B/installed" "$B/state/used";; esac`);
    this.#program('hookswitch', `${tick}; echo "asked $*"; { [ ! -e "$B/faults/ill" ] && grep -q 2 "$B/installed"; }`);
    this.#program('sync', tick);
    this.#program('timeout', 'shift; exec "$@"');
    copyFileSync(join(root, 'systemd/debian/update-install'), this.at('update/install'));
    for (const [name, text] of [
      ['update/phase', 'prepared'],
      ['update/within', '1'],
      ['update/next.deb', 'version 2'],
      ['installed', 'version 1'],
      ['state/settings', 'of version 1'],
    ] as const) {
      writeFileSync(this.at(name), text);
    }
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  text(name: string): string {
    return existsSync(this.at(name)) ? readFileSync(this.at(name), 'utf8').trim() : 'gone';
  }

  /** Runs the installer; after `programs` of the above the power goes. */
  run(programs = 10_000): SpawnSyncReturns<string> {
    writeFileSync(this.at('left'), `${programs}`);
    const env = { PATH: `${this.at('bin')}:/usr/bin:/bin`, B: this.folder, HOOKSWITCH_STATE_DIRECTORIES: this.at('state') };
    return spawnSync('/bin/sh', [this.at('update/install')], { encoding: 'utf8', env });
  }

  get outcome() {
    const { folder: _, ...found } = {
      folder: '',
      outcome: this.text('update/outcome').split('\n')[0],
      installed: this.text('installed'),
      settings: this.text('state/settings'),
      phase: this.text('update/phase'),
    };
    return found;
  }

  #program(name: string, body: string): void {
    writeFileSync(this.at(`bin/${name}`), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }
}

const updated = { outcome: 'updated', installed: 'version 2', settings: 'of version 1', phase: 'gone' };
const returned = { outcome: 'returned', installed: 'version 1', settings: 'of version 1', phase: 'gone' };

t.test('the installer', async (t) => {
  t.test('installs, asks the new version whether all is well, and keeps the one before', async (t) => {
    const bench = new Bench(t.testdir());
    const { status, stdout, stderr } = bench.run();
    t.equal(status, 0, stdout + stderr);
    t.strictSame(bench.outcome, updated);
    t.equal(bench.text('state/update-failed'), 'gone');
    t.equal(bench.text('update/previous.deb'), 'version 1');
    t.match(bench.text('calls'), /stop hookswitch.target .*\n.*start hookswitch.target .*hookswitch-phone.service/s);

    writeFileSync(bench.at('state/settings'), 'of version 2');
    writeFileSync(bench.at('update/reason'), 'asked for\n');
    writeFileSync(bench.at('update/phase'), 'returning');
    t.equal(bench.run().status, 0);
    t.strictSame(bench.outcome, returned, 'and goes back when asked');
    t.equal(bench.text('state/update-failed'), 'gone');
  });

  for (const [title, faults, reason] of [
    ['does not do well', { ill: true }, /asked health --since before.json --within 1/],
    ['cannot be installed', { next: true }, /its package cannot be installed/],
  ] as const) {
    t.test(`puts the version before back, with its settings, when the new one ${title}`, async (t) => {
      const bench = new Bench(t.testdir(), faults);
      t.equal(bench.run().status, 1);
      t.strictSame(bench.outcome, returned);
      t.match(bench.text('update/outcome'), reason);
      t.match(bench.text('state/update-failed'), /^an update was undone: /);
    });
  }

  t.test('comes to a good end wherever the power is cut, once or again and again', async (t) => {
    for (const ill of [false, true]) {
      let cut = 0;
      for (; ; cut++) {
        const bench = new Bench(t.testdir(), { ill });
        const first = bench.run(cut);
        if (first.signal === null) break;
        // At boot the services have been started before, and have changed their settings.
        if (bench.text('installed') === 'version 2') writeFileSync(bench.at('state/settings'), 'of version 2');
        bench.run();
        const settings = ill || bench.text('installed') === 'version 1' ? 'of version 1' : bench.text('state/settings');
        t.strictSame(bench.outcome, { ...(ill ? returned : updated), settings }, `cut after ${cut} programs`);
        rmSync(bench.folder, { recursive: true });
      }
      t.ok(cut > 10, `${cut} places`);
    }
    let hopeless = new Bench(t.testdir());
    for (let cut = 0; hopeless.text('update/phase') !== 'installed'; cut++) {
      hopeless = new Bench(t.testdir());
      hopeless.run(cut);
    }
    // Each start of the machine ends while health is looked at.
    for (let start = 0; start < 3; start++) hopeless.run(0);
    hopeless.run();
    t.strictSame(hopeless.outcome, returned, 'a version with which the machine does not live goes');
    t.match(hopeless.text('update/outcome'), /3 starts/);
  });

  t.test(
    'tries again at the next start when the version before cannot be put back, and changes nothing when it cannot be kept',
    async (t) => {
      const bench = new Bench(t.testdir(), { ill: true, previous: true });
      t.equal(bench.run().status, 2);
      t.match(bench.outcome, { installed: 'version 2', phase: 'returning' });
      rmSync(bench.at('faults/previous'));
      bench.run();
      t.strictSame(bench.outcome, returned);

      const poor = new Bench(t.testdir());
      writeFileSync(poor.at('bin/dpkg-deb'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      t.equal(poor.run().status, 1);
      t.strictSame(poor.outcome, { ...returned, outcome: 'unchanged' });
    },
  );
});
