import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '../..');

/** A machine as the scripts see it: each program is a line of shell; what `sudo` is asked to do is written down, not done. */
const withSudo = {
  id: 'echo 1000',
  sudo: '[ "$2" = true ] || printf "%s\\n" "$*" >> "$CALLS"',
  'dpkg-query': 'case "$*" in *libthere2) echo installed;; *) exit 1;; esac',
  'apt-cache': 'case $2 in libnew64 | tool-package) echo "Candidate: 1.0";; *) echo "Candidate: (none)";; esac',
  'apt-get': 'exit 1',
};
const withoutSudo = { ...withSudo, sudo: 'exit 1' };

t.test('what is there is not installed and not spoken of', async (t) => {
  const { status, stderr, calls } = runSetup(t.testdir(), withSudo, `need_packages 'libother,libthere2||loads' 'shell-package|sh|runs'`);
  t.equal(status, 0);
  t.equal(stderr, '');
  t.equal(calls, '');
});

t.test('what is missing is named with its reason and installed under the name this Debian has', async (t) => {
  const script = `need_packages 'libnew64,libold||makes sound' 'tool-package|no-such-program|is run' 'libthere2||is there'`;
  const { status, stderr, calls } = runSetup(t.testdir(), withSudo, script);
  t.equal(status, 0, stderr);
  t.match(stderr, /libnew64: makes sound\n +tool-package: is run\n/);
  t.match(calls, /apt-get install -y -q --no-install-recommends libnew64 tool-package\n/, 'asking nothing');
  t.notMatch(calls, /libthere2|libold/);
});

t.test('without the right to install, the command for it is said and nothing is tried', async (t) => {
  const { status, stderr, calls } = runSetup(t.testdir(), withoutSudo, `need_packages 'tool-package|no-such-program|is run'`);
  t.equal(status, 1);
  t.match(stderr, /error: .*needs root.*\n +sudo apt-get install tool-package\n/);
  t.equal(calls, '');
});

t.test('a Node that is too old is refused with where to find a newer one', async (t) => {
  const { status, stderr } = runSetup(t.testdir(), { ...withSudo, node: 'case $1 in -p) echo 18;; *) echo v18.0.0;; esac' }, 'need_node');
  t.equal(status, 1);
  t.match(stderr, /error: Node.js v18\.0\.0 is too old.*20/);
});

t.test('node_modules is made anew when it is not what package-lock.json says', async (t) => {
  const lock = (version: string) =>
    JSON.stringify({ packages: { '': {}, 'node_modules/a': { version }, 'node_modules/b': { optional: true } } });
  const project = t.testdir({
    'package-lock.json': lock('1.1.0'),
    node_modules: { epoll: { 'index.js': 'throw new Error(process.version)' } },
  });
  const reason = () => runSetup(project, {}, `cd '${project}' && stale_reason`).stdout.trim();
  t.equal(reason(), 'not there yet');
  writeFileSync(join(project, 'node_modules/.package-lock.json'), lock('1.0.0'));
  t.equal(reason(), 'a 1.0.0, 1.1.0 wanted');
  writeFileSync(join(project, 'node_modules/.package-lock.json'), lock('1.1.0'));
  t.equal(reason(), 'epoll was not compiled for this Node');
});

t.test('the node_modules these tests run with is as package-lock.json says', async (t) => {
  const { status, stdout } = runSetup(t.testdir(), {}, `cd '${root}' && ! stale_reason`);
  t.equal(status, 0, stdout);
});

t.test('a dry run of the installation says every step and needs no rights', async (t) => {
  const folder = t.testdir();
  const path = programsIn(folder, { id: 'echo 1000', systemctl: 'echo "$*" >> "$CALLS"; exit 1' });
  const { status, stderr } = run(folder, path, [join(root, 'scripts/install'), '--dry-run', '--exchange']);
  t.equal(status, 0, stderr);
  const lines = stderr.trimEnd().split('\n');
  const steps = lines.filter((line) => line.startsWith('  would be done: '));
  t.ok(steps.length >= 6, stderr);
  t.same(
    lines.filter((line) => !/^ {2}(would be done|checked|note): /.test(line)),
    [],
    'beside what it has looked at',
  );
  t.match(stderr, /checked: processor /);
  t.match(steps.at(-1), 'starting hookswitch-exchange.service hookswitch-hal.service');
  t.equal(existsSync(join(folder, 'calls')), false, 'no unit is touched');
  t.match(run(folder, path, [join(root, 'scripts/install')]).stderr, /^error: root is needed\n +sudo scripts\/install/);
});

t.test('a machine that cannot be a phone is told so before anything is done', async (t) => {
  const dryRun = (programs: Readonly<Record<string, string>>) => {
    const folder = t.testdir();
    return run(folder, programsIn(folder, { systemctl: 'exit 1', ...programs }), [join(root, 'scripts/install'), '--dry-run']);
  };
  for (const [programs, reason] of [
    [{ uname: 'echo armv6l' }, /ARMv6.*\n +a Zero 2 W/],
    [{ uname: 'echo riscv64' }, /\(riscv64\) nothing was ever built/],
    [{ 'dpkg-query': 'echo installed' }, /installed here as a Debian package\n +sudo apt-get remove hookswitch/],
    [{ df: 'echo Avail; echo 120' }, /120 MB are free, 600 are needed/],
  ] as const) {
    const { status, stderr } = dryRun(programs);
    t.equal(status, 1);
    t.match(stderr, reason);
    t.notMatch(stderr, 'would be done');
  }
  t.equal(dryRun({ uname: 'echo aarch64', df: 'echo Avail; echo 6000' }).status, 0);
});

function runSetup(folder: string, programs: Readonly<Record<string, string>>, script: string) {
  return run(folder, programsIn(folder, programs), ['-c', `. '${join(root, 'scripts/setup.sh')}'; ${script}`]);
}

/** A folder of programs, and a PATH on which they come first and no other sudo, apt or dpkg follows. */
function programsIn(folder: string, programs: Readonly<Record<string, string>>): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, body] of Object.entries(programs)) writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return `${bin}:/usr/bin:/bin`;
}

function run(folder: string, path: string, argv: readonly string[]) {
  const calls = join(folder, 'calls');
  const node = join(folder, 'bin', 'node');
  if (!existsSync(node)) symlinkSync(process.execPath, node);
  const env = { PATH: path, CALLS: calls, HOME: folder, HOOKSWITCH_SETUP_LOG: join(folder, 'setup.log') };
  const { status, stdout, stderr } = spawnSync('bash', argv, { encoding: 'utf8', env });
  return { status, stdout, stderr, calls: existsSync(calls) ? readFileSync(calls, 'utf8') : '' };
}
