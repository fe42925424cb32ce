import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { nodeFlagsOf } from '#services/cli/node-flags.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'systemd');
const names = readdirSync(folder).filter((name) => /\.(service|target|socket)$/.test(name));
const services = names.filter((name) => name.endsWith('.service'));
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');
/** All values of a key, in order. */
const values = (text: string, key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);

t.test('the units', async (t) => {
  t.test('are what systemd-analyze accepts without a word', async (t) => {
    if (!present('systemd-analyze')) return t.comment('systemd-analyze is not here: the units were not verified');
    // The Node of this machine may be elsewhere than that of the device.
    const copies = temporary(t);
    for (const name of names) writeFileSync(join(copies, name), textOf(name).replaceAll('/usr/bin/node', process.execPath));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...names.map((name) => join(copies, name))], {
      encoding: 'utf8',
    });
    t.same({ status, output: stdout + stderr }, { status: 0, output: '' });
  });

  t.test('are one for each daemon, and start what the build makes', async (t) => {
    t.same(
      services.sort(),
      ['exchange', 'hal', 'media', 'phone', 'web'].map((name) => `hookswitch-${name}.service`),
    );
    for (const unit of services) {
      const name = unit.slice('hookswitch-'.length, -'.service'.length);
      const text = textOf(unit);
      const command = ['/usr/bin/node', ...nodeFlagsOf(name), `/usr/lib/hookswitch/dist/services/${name}/main.js`];
      t.same(values(text, 'ExecStart'), [command.join(' ')], 'as `hookswitch run` starts it');
      t.same(values(text, 'User'), [`hookswitch-${name}`], 'a user of its own');
      t.same(values(text, 'Group'), ['hookswitch'], 'its socket opens to the others');
      t.same(values(text, 'Restart'), ['always']);
      t.same(values(text, 'RestartPreventExitStatus'), ['2']);
      t.same(values(text, 'Type'), ['notify'], 'it says itself when it has started');
      t.same([values(text, 'WatchdogSec'), values(text, 'WatchdogSignal')], [['10'], ['SIGKILL']]);
      for (const limit of ['MemoryMax', 'CPUWeight', 'IOWeight', 'StartLimitBurst']) t.equal(values(text, limit).length, 1, limit);
      t.ok(Number(values(text, 'TimeoutStopSec')[0]) > 8, 'longer than a daemon gives its own stop');
      t.same(values(text, 'WantedBy'), ['hookswitch.target']);
      t.same(values(text, 'PartOf'), ['hookswitch.target']);
    }
  });

  t.test('wait neither for the network nor for the time', async (t) => {
    for (const name of names) {
      const order = ['After', 'Wants', 'Requires'].flatMap((key) => values(textOf(name), key)).join(' ');
      t.notMatch(order, /network-online|time-sync|systemd-time-wait-sync/, name);
    }
  });

  t.test('are exposed at most 1.5, which systemd-analyze calls OK', async (t) => {
    if (!present('systemd-analyze')) return t.comment('systemd-analyze is not here: the exposure was not measured');
    for (const unit of services) {
      const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', join(folder, unit)], {
        encoding: 'utf8',
      });
      const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1];
      t.ok(Number(exposure) <= 1.5, `${unit}: ${exposure}`);
    }
  });

  t.test('make the outputs of a killed hal safe', async (t) => {
    const runtime = temporary(t);
    for (const name of ['a', 'b', 'c']) writeFileSync(join(runtime, name), '1');
    writeFileSync(join(runtime, 'outputs'), `${join(runtime, 'a')}\n${join(runtime, 'gone')}\n${join(runtime, 'c')}\n`);
    const [command = ''] = values(textOf('hookswitch-hal.service'), 'ExecStopPost');
    // As systemd reads it: a minus for failures that count for nothing, quotes, and $$ for a $ of the shell.
    const [, script = ''] = /^-\/bin\/sh -c '([^']*)'$/.exec(command) ?? [];
    const { stderr } = spawnSync('/bin/sh', ['-c', script.replaceAll('$$', '$')], {
      env: { RUNTIME_DIRECTORY: runtime },
      encoding: 'utf8',
    });
    t.equal(stderr, '');
    t.same(
      ['a', 'b', 'c'].map((name) => readFileSync(join(runtime, name), 'utf8').trim()),
      ['0', '1', '0'],
    );
  });

  t.test('give devices only to those who drive them', async (t) => {
    const groups = Object.fromEntries(services.map((unit) => [unit, values(textOf(unit), 'SupplementaryGroups').join(' ')]));
    t.same(groups, {
      'hookswitch-exchange.service': '',
      'hookswitch-hal.service': 'gpio input plugdev',
      'hookswitch-media.service': 'audio',
      'hookswitch-phone.service': '',
      'hookswitch-web.service': '',
    });
  });
});

t.test('users and directories', async (t) => {
  const users = [...textOf('sysusers.d/hookswitch.conf').matchAll(/^u (\S+)/gm)].map(([, user]) => user).sort();
  const groups = new Set([...textOf('sysusers.d/hookswitch.conf').matchAll(/^g (\S+)/gm)].map(([, group]) => group));

  t.test('are those that the units name', async (t) => {
    t.same(users, services.flatMap((unit) => values(textOf(unit), 'User')).sort());
    for (const unit of services) {
      const named = [...values(textOf(unit), 'Group'), ...values(textOf(unit), 'SupplementaryGroups').flatMap((list) => list.split(' '))];
      for (const group of named) t.ok(groups.has(group), `${unit} names ${group}`);
      const state = values(textOf(unit), 'Environment')
        .find((line) => line.startsWith('HOOKSWITCH_STATE_DIR='))
        ?.split('=')[1];
      t.match(textOf('tmpfiles.d/hookswitch.conf'), `d ${state} `);
    }
  });

  t.test('are made by systemd-sysusers and systemd-tmpfiles', async (t) => {
    if (!present('systemd-sysusers') || !present('systemd-tmpfiles')) return t.comment('systemd-sysusers is not here: not tried');
    if (process.getuid?.() !== 0) return t.comment('not root: users and directories were not made');
    const image = temporary(t);
    mkdirSync(join(image, 'etc'));
    execFileSync('systemd-sysusers', [`--root=${image}`, join(folder, 'sysusers.d/hookswitch.conf')], { stdio: 'pipe' });
    execFileSync('systemd-tmpfiles', ['--create', `--root=${image}`, join(folder, 'tmpfiles.d/hookswitch.conf')], { stdio: 'pipe' });
    const passwd = readFileSync(join(image, 'etc/passwd'), 'utf8');
    for (const user of users) t.match(passwd, `${user}:x:`);
    t.equal(lstatSync(join(image, 'run/hookswitch')).mode & 0o7777, 0o3770);
    t.equal(lstatSync(join(image, 'var/lib/hookswitch')).mode & 0o7777, 0o750);
  });
});

t.test('udev rules have a match and an assignment on every line', async (t) => {
  const lines = textOf('udev/70-hookswitch.rules').split('\n');
  const rules = lines.filter((line) => line !== '' && !line.startsWith('#'));
  t.ok(rules.length > 0);
  for (const rule of rules) t.match(rule, /^([A-Z]+(\{\w+\})?==?"[^"]*"(, |$))+$/);
});

function present(program: string): boolean {
  return ['/usr/bin', '/bin'].some((path) => existsSync(join(path, program)));
}

function temporary(t: { teardown(clean: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'hs-units-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}
