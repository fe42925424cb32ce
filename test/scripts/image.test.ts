import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '../..');
const deviceFiles = join(root, 'systemd/image');
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGwNSPRniY0BPC0Ut264 somebody@desk';
const password = 'horse "battery\\ staple\'s';

/** What cloud-init is told, as far as it is looked at here. */
interface UserData {
  readonly hostname: string;
  readonly users: readonly [Readonly<Record<string, unknown>>];
  readonly ssh_pwauth: boolean;
  readonly write_files: readonly { readonly path: string; readonly permissions: string; readonly content: string }[];
  readonly runcmd: readonly (readonly string[])[];
}

t.test('the card of a Raspberry Pi', async (t) => {
  const { folder, options } = material(t);

  t.test('is described so that cloud-init understands every letter', async (t) => {
    const out = join(folder, 'card');
    mkdirSync(out);
    writeFileSync(join(out, 'cmdline.txt'), 'console=tty1 root=PARTUUID=1-02 rootwait quiet resize\n');
    const wireless = ['--wifi', 'Café "5 GHz"', '--wifi-password-file', join(folder, 'password'), '--country', 'DE'];
    const { status, stderr } = image(...options, '--password-file', join(folder, 'password'), ...wireless, '--out', out);
    t.equal(status, 0, stderr);
    t.match(stderr, 'ssh admin@door.local');

    const text = readFileSync(join(out, 'user-data'), 'utf8');
    t.match(text, /^#cloud-config\n/);
    const data = parse(text) as UserData;
    t.equal(data.hostname, 'door');
    const [user] = data.users;
    t.match(user, { name: 'admin', ssh_authorized_keys: [key], lock_passwd: false, sudo: 'ALL=(ALL) ALL' });
    const [, , salt = ''] = String(user.passwd).split('$');
    t.equal(user.passwd, execFileSync('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], { input: password, encoding: 'utf8' }).trim());
    t.equal(data.ssh_pwauth, false, 'who has a key needs no password by ssh');
    t.same(data.runcmd.at(-1), ['systemctl', 'enable', '--now', '--no-block', 'hookswitch-prepare.service']);
    t.same(parse(readFileSync(join(out, 'network-config'), 'utf8')), {
      network: {
        version: 2,
        ethernets: { eth0: { dhcp4: true, optional: true } },
        wifis: {
          wlan0: { dhcp4: true, optional: true, 'regulatory-domain': 'DE', 'access-points': { 'Café "5 GHz"': { password } } },
        },
      },
    });
    t.match(parse(readFileSync(join(out, 'meta-data'), 'utf8')), { dsmode: 'local', 'instance-id': /^hookswitch-[0-9a-f]{16}$/ });
    t.equal(
      readFileSync(join(out, 'cmdline.txt'), 'utf8'),
      'console=tty1 root=PARTUUID=1-02 rootwait quiet cfg80211.ieee80211_regdom=DE\n',
      'the root leaves room, the radio knows its country',
    );
    t.ok(existsSync(join(out, 'ssh')) && existsSync(join(out, 'hookswitch_1_arm64.deb')));
    t.equal(statSync(join(out, 'user-data')).mode & 0o77, 0, 'nobody else reads it here');
    t.notMatch(text, 'battery', 'the password itself is not in it');
    t.comment(schemaVerdict(join(out, 'user-data')));
  });

  t.test('has the programs that prepare it, as they are here', async (t) => {
    const data = describe(t, folder, options);
    const written = new Map(data.write_files.map((file) => [file.path, file]));
    for (const [path, permissions] of [
      ['/usr/local/sbin/hookswitch-prepare', '0755'],
      ['/usr/local/sbin/hookswitch-root', '0755'],
      ['/etc/systemd/system/hookswitch-prepare.service', '0644'],
    ] as const) {
      const source = join(deviceFiles, path.slice(path.lastIndexOf('/') + 1));
      t.same(written.get(path), { path, permissions, content: readFileSync(source, 'utf8') });
      if (permissions === '0755') t.equal(spawnSync('sh', ['-n', source], { encoding: 'utf8' }).stderr, '', path);
    }
    t.equal(data.users[0].lock_passwd, true, 'without a password only the key opens');
    t.equal(data.users[0].sudo, 'ALL=(ALL) NOPASSWD:ALL');
  });

  t.test('names the sound card that its board profile has', async (t) => {
    for (const [profile, lines] of [
      ['door-station', 'dtparam=watchdog=on dtparam=i2s=on dtparam=audio=off dtoverlay=googlevoicehat-soundcard'],
      ['desk-phone', 'dtparam=watchdog=on dtparam=audio=off'],
      ['virtual', 'dtparam=watchdog=on'],
    ] as const) {
      const conditions = describe(t, folder, [...options, '--profile', profile, '--state-megabytes', '256']).write_files[0]?.content ?? '';
      // The device reads it as shell does.
      const { stdout } = spawnSync('sh', ['-c', `${conditions}echo "$PROFILE|$STATE_MEGABYTES|$CONFIG_LINES"`], { encoding: 'utf8' });
      t.equal(stdout, `${profile}|256|${lines}\n`);
    }
  });

  t.test('takes over settings, with their secrets', async (t) => {
    const settings = join(folder, 'settings.json');
    const write = (values: object) =>
      writeFileSync(settings, JSON.stringify({ format: 'hookswitch-settings', version: 1, settings: values }));
    write({ 'line.1.password': '••••••' });
    t.match(image(...options, '--settings', settings, '--out', join(folder, 'none')), { status: 2, stderr: /masked: .*--reveal/ });
    write({ 'line.1.password': 'secret' });
    describe(t, folder, [...options, '--settings', settings]);
    t.match(readFileSync(join(folder, 'out/hookswitch-settings.json'), 'utf8'), '"line.1.password":"secret"');
  });

  t.test('may be an image, whose first partition is changed', async (t) => {
    if (!['mcopy', 'sfdisk'].every(isThere)) return t.comment('mtools or fdisk are not here: no image was changed');
    const card = join(folder, 'card.img');
    writeFileSync(card, '');
    truncateSync(card, 8 << 20);
    execFileSync('sfdisk', ['--quiet', card], { input: 'label: dos\n2048,8192,c\n10240,,83\n' });
    const volume = `${card}@@${2048 * 512}`;
    execFileSync('mformat', ['-i', volume, '-T', '8192', '::']);
    t.match(image(...options, '--image', card), { status: 1, stderr: /no cmdline\.txt .* not Raspberry Pi OS/ });
    execFileSync('mcopy', ['-i', volume, '-', '::/cmdline.txt'], { input: 'resize root=x' });
    const { status, stderr } = image(...options, '--image', card);
    t.equal(status, 0, stderr);
    const read = (name: string) => execFileSync('mtype', ['-i', volume, `::/${name}`], { encoding: 'utf8' });
    t.equal(read('cmdline.txt').trim(), 'root=x');
    t.equal((parse(read('user-data')) as UserData).hostname, 'door');
    t.match(image(...options, '--image', join(folder, 'password')), { status: 1, stderr: /no image of a card/ });
  });
});

t.test('what cannot become a phone is refused with the reason', async (t) => {
  const { folder, options } = material(t);
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const out = ['--out', join(folder, 'refused')];
  const wireless = (more: readonly string[]) => [...options, ...out, '--wifi', 'net', ...more];
  const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no option at all', [], /--profile is missing: there is .*door-station/],
    ['an unknown profile', [...options, ...out, '--profile', 'toaster'], /--profile toaster: there is/],
    ['a path for a profile', [...options, ...out, '--profile', '../boards/virtual'], /--profile \.\./],
    ['a host name that DNS does not take', [...options, ...out, '--hostname', 'my_phone'], /--hostname my_phone/],
    ['a host name with more in it', [...options, ...out, '--hostname', 'a\nruncmd: []'], /--hostname/],
    ['root', [...options, ...out, '--user', 'root'], /--user root/],
    ['nobody who could log in', [...options.filter((_, at) => at < 4 || at > 5), ...out], /nobody could log in/],
    ['no key', [...options, ...out, '--ssh-key', join(folder, 'password')], /no public key/],
    ['the private key', [...options, ...out, '--ssh-key', file('id', '-----BEGIN OPENSSH PRIVATE KEY-----\n')], /is the private key/],
    ['a file that is not there', [...options, ...out, '--ssh-key', '/nowhere'], /cannot be read/],
    ['a short password', [...options, ...out, '--password-file', file('short', 'secret\n')], /shorter than 8/],
    ['wireless without a country', wireless(['--wifi-password-file', join(folder, 'password')]), /--country is missing/],
    ['wireless without a password', wireless(['--country', 'DE']), /--wifi-password-file is missing/],
    ['a country without wireless', [...options, ...out, '--country', 'DE'], /belong to --wifi/],
    ['too little room', [...options, ...out, '--state-megabytes', '16'], /64 or more/],
    ['another package', [...options, ...out, '--package', debianPackage(folder, 'other', 'arm64')], /no Debian package of hookswitch/],
    ['a package for another processor', [...options, ...out, '--package', debianPackage(folder, 'hookswitch', 'amd64')], /for amd64/],
    ['no settings', [...options, ...out, '--settings', join(folder, 'password')], /no export of settings/],
    ['no place', options, /--out or --image is missing/],
    ['two places', [...options, ...out, '--image', 'x'], /not both/],
    ['an unknown option', ['--fast', 'yes'], /--fast is no option/],
    ['an option without its value', ['--profile'], /--profile wants a value/],
  ];
  for (const [title, argv, reason] of refusals) t.match(image(...argv), { status: 2, stderr: reason }, title);
  t.equal(existsSync(join(folder, 'refused')), false, 'nothing was written');
  t.match(image(...options, '--out', '/proc/card'), { status: 1, stderr: /cannot be written/ });
  t.match(image('--help'), { status: 0, stdout: /^usage: scripts\/image/ });
});

t.test('hookswitch-root says what the root is and changes it for the next boot', async (t) => {
  const folder = t.testdir({ firmware: { 'cmdline.txt': 'root=x rootwait\n' }, bin: {} });
  const line = join(folder, 'firmware/cmdline.txt');
  const script = join(folder, 'hookswitch-root');
  writeFileSync(script, readFileSync(join(deviceFiles, 'hookswitch-root'), 'utf8').replace('/boot/firmware', join(folder, 'firmware')));
  const program = (name: string, body: string) => writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  program('mount', `echo "$@" >> ${join(folder, 'mounts')}`);
  program('findmnt', 'case "$*" in *FSTYPE*) echo ext4;; *) echo rw,relatime;; esac');
  const env = { PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` };
  const run = (...argv: string[]) => spawnSync('sh', [script, ...argv], { encoding: 'utf8', env });

  t.equal(run().stdout, 'The root is writable now, and writable from the next boot on.\n');
  t.equal(run('protected').stdout, 'The root is protected from the next boot on: sudo reboot\n');
  t.equal(readFileSync(line, 'utf8'), 'root=x rootwait overlayroot=tmpfs:recurse=0\n');
  run('protected');
  t.equal(readFileSync(line, 'utf8'), 'root=x rootwait overlayroot=tmpfs:recurse=0\n', 'once');
  t.equal(existsSync(join(folder, 'mounts')), false, 'a boot partition that can be written is left as it is');

  program('findmnt', 'case "$*" in *FSTYPE*) echo overlay;; *) echo ro,relatime;; esac');
  t.equal(run().stdout, 'The root is protected now, and protected from the next boot on.\n');
  t.equal(run('writable').stdout, 'The root is writable from the next boot on: sudo reboot\n');
  t.equal(readFileSync(line, 'utf8'), 'root=x rootwait\n');
  t.equal(readFileSync(join(folder, 'mounts'), 'utf8').split('\n').length, 3, 'made writable for the moment, and read-only again');
  t.match(run('soft'), { status: 2, stderr: /^usage/ });
});

function image(...argv: readonly string[]) {
  return spawnSync('bash', [join(root, 'scripts/image'), ...argv], { encoding: 'utf8' });
}

/** Files that the options name, and options that are enough for a card but for its place. */
function material(t: Test) {
  const folder = t.testdir({ 'key.pub': `${key}\n`, password: `${password}\n` });
  const options = ['--profile', 'virtual', '--hostname', 'door', '--ssh-key', join(folder, 'key.pub')];
  return { folder, options: [...options, '--package', debianPackage(folder, 'hookswitch', 'arm64')] };
}

function describe(t: Test, folder: string, options: readonly string[]): UserData {
  const { status, stderr } = image(...options, '--out', join(folder, 'out'));
  t.equal(status, 0, stderr);
  return parse(readFileSync(join(folder, 'out/user-data'), 'utf8')) as UserData;
}

function debianPackage(folder: string, name: string, architecture: string): string {
  const content = join(folder, `${name}-${architecture}`);
  mkdirSync(join(content, 'DEBIAN'), { recursive: true });
  chmodSync(join(content, 'DEBIAN'), 0o755);
  const fields = { Package: name, Version: '1', Architecture: architecture, Maintainer: 'x <x@localhost>', Description: 'x' };
  const control = Object.entries(fields).map(([field, value]) => `${field}: ${value}\n`);
  writeFileSync(join(content, 'DEBIAN/control'), control.join(''));
  const path = join(folder, `${name}_1_${architecture}.deb`);
  execFileSync('dpkg-deb', ['--build', content, path]);
  return path;
}

function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;
}

/** cloud-init's own opinion, where it is installed. */
function schemaVerdict(path: string): string {
  if (!isThere('cloud-init')) return 'cloud-init is not here: its schema was not asked';
  return execFileSync('cloud-init', ['schema', '--config-file', path], { encoding: 'utf8' }).trim();
}
