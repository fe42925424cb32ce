import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { protectedNotice } from '#firmware/platform/lasting-state.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { answerToBinding, bindingRequest } from '#firmware/sip/transport/stun-message.ts';
import { diagnose, type Examination, findingLines, type UnitState } from '#services/cli/doctor.ts';
import { examine } from '#services/cli/examination.ts';
import { healthTable } from '#services/cli/health-table.ts';
import { type MachineSource, machineState } from '#services/cli/machine-state.ts';
import { findPlace } from '#services/cli/place.ts';
import { probeRegistrar } from '#services/cli/registrar-probe.ts';
import { probeStun } from '#services/cli/stun-probe.ts';
import { notKept } from '#services/phone/record-keeper.ts';
import { sampleStatus } from './fake-phone.ts';

const line = (registration: Partial<PhoneStatus['lines'][number]['registration']>): PhoneStatus['lines'][number] => ({
  line: '1',
  aor: 'sip:alice@pbx.example',
  registration: { state: 'registered', statusCode: 200, reason: null, nextInMs: 1000, elapsedMs: 10, ...registration },
  doNotDisturb: false,
  forward: null,
  messageWaiting: { waiting: false, newMessages: 0, oldMessages: 0 },
});
const status = (more: Partial<PhoneStatus> = {}): PhoneStatus => ({
  ...sampleStatus,
  notices: [],
  board: null,
  lines: [line({})],
  ...more,
});
const unit = (more: Partial<UnitState>): UnitState => ({
  state: 'active',
  result: 'success',
  exitStatus: 0,
  statusText: 'runs',
  processId: 7,
  ...more,
});
const healthy: Examination = {
  installed: true,
  option: '',
  daemons: ['hal', 'media', 'phone', 'web'].map((name) => ({ name, answers: true, forbidden: false, unit: unit({}) })),
  status: status(),
  sound: { handset: { ok: true } },
  disk: { path: '/var/lib/hookswitch', freeBytes: 5e9, readOnly: false },
  missingGroups: [],
  wallTime: Date.UTC(2026, 10, 20),
  takenPorts: [],
  registrars: [{ line: '1', registrar: 'pbx.example:5060', answer: 'response' }],
  damaged: [],
  stunServers: [{ line: '1', kind: 'STUN', server: 'stun.example', answer: 'response' }],
  machine: {
    memory: { availableBytes: 300e6, totalBytes: 512e6 },
    temperature: 48.3,
    throttled: 0,
    clockSynchronised: true,
    stateForgotten: false,
    sqlite: '3.52.0',
  },
};
const machine = (more: Partial<Examination['machine']>): Partial<Examination> => ({ machine: { ...healthy.machine, ...more } });
const memory = (availableBytes: number) => machine({ memory: { availableBytes, totalBytes: 512e6 } });
const stun = (kind: 'STUN' | 'TURN', answer: Examination['stunServers'][number]['answer']): Partial<Examination> => ({
  stunServers: [{ line: '1', kind, server: 'nat.example:3478', answer }],
});
const down = (name: string, more: Partial<UnitState>): Partial<Examination> => ({
  daemons: [{ name, answers: false, forbidden: false, unit: unit(more) }],
});
const board = (element: string, reason: string, gpio: string | null = null): Partial<Examination> => ({
  status: status({
    board: {
      profile: 'x',
      hook: null,
      leds: {},
      relays: {},
      inputs: {},
      keysDown: [],
      gpio,
      faults: element === '' ? [] : [{ element, reason }],
    },
  }),
});
const registration = (fields: Parameters<typeof line>[0], answer: 'response' | 'silence' | 'unreachable' | 'unknown name' = 'silence') => ({
  status: status({ lines: [line({ state: 'failed', ...fields })] }),
  registrars: [{ line: '1', registrar: 'pbx.example:5060', answer }],
});

/** What is found, and the one finding it leads to: kind, what is said, and how to mend it. */
const ailments: readonly (readonly [Partial<Examination>, string, RegExp, RegExp])[] = [
  [{ wallTime: Date.UTC(2082, 0, 1) }, 'clock-not-set', /the clock says 2082-01-01/, /timedatectl/],
  [machine({ clockSynchronised: false }), 'clock-not-synchronised', /has not set the clock/, /NTP/],
  [machine({ stateForgotten: true }), 'state-forgotten', /\/var\/lib\/hookswitch is in memory/, /hookswitch-root writable/],
  [memory(60e6), 'memory-low', /60 of 512 MB memory are left/, /hookswitch-web/],
  [memory(20e6), 'memory-short', /20 of 512 MB/, /top/],
  [machine({ throttled: 0x5_0005 }), 'undervoltage', /too weak: sound/, /power supply/],
  [machine({ throttled: 0x1_0000 }), 'undervoltage-seen', /for moments since the start/, /power supply/],
  [machine({ throttled: 0x8, temperature: 83.4 }), 'too-hot', /slowed down \(83 °C\)/, /heat sink/],
  [machine({ temperature: 81 }), 'too-hot', /81 °C/, /heat sink/],
  [machine({ throttled: 0x8_0000, temperature: undefined }), 'was-too-hot', /since the start$/, /heat sink/],
  [machine({ sqlite: '3.40.1' }), 'sqlite-wal-reset', /SQLite 3\.40\.1 may lose/, /3\.51\.3/],
  [stun('STUN', 'silence'), 'stun-server-unreachable', /STUN server nat\.example:3478 of line 1.*silent by UDP/, /line\.1\.stunServer/],
  [stun('TURN', 'unknown name'), 'stun-server-unreachable', /TURN server.*name is not found/, /line\.1\.turnServer/],
  [stun('TURN', 'unreachable'), 'stun-server-unreachable', /nothing listens there/, /firewall/],
  [{ wallTime: Date.UTC(1970, 0, 1) }, 'clock-not-set', /the clock says 1970-01-01/, /timedatectl/],
  [
    { disk: { ...healthy.disk, readOnly: true }, status: status({ notices: [protectedNotice] }) },
    'disk-read-only',
    /cannot be written.*until the power goes/,
    /remount,rw/,
  ],
  [{ disk: { ...healthy.disk, freeBytes: 3_400_000 } }, 'disk-full', /has 3 MB left/, /vacuum/],
  [{ disk: { ...healthy.disk, freeBytes: 100e6 } }, 'disk-low', /has 100 MB left/, /vacuum/],
  [{ missingGroups: ['gpio'] }, 'group-missing', /no group gpio/, /systemd-sysusers/],
  [{ takenPorts: [{ port: 5060, protocol: 'udp', use: 'SIP' }] }, 'port-taken', /udp port 5060/, /sudo ss -ulnp 'sport = :5060'/],
  [
    down('media', { state: 'failed', result: 'start-limit-hit' }),
    'daemon-down',
    /media daemon .*crashed too often/,
    /journalctl -u hookswitch-media/,
  ],
  [down('hal', { state: 'activating', result: 'watchdog' }), 'daemon-down', /it hung and was ended/, /journalctl/],
  [down('web', { state: 'activating', result: 'oom-kill' }), 'daemon-down', /memory was short/, /journalctl/],
  [
    down('hal', { state: 'activating', result: 'exit-code', exitStatus: 216 }),
    'daemon-down',
    /a group of its unit is missing/,
    /journalctl/,
  ],
  [down('web', { state: 'inactive' }), 'daemon-down', /it was stopped/, /systemctl start hookswitch-web/],
  [down('exchange', { statusText: 'cannot start: port 5070 is taken' }), 'daemon-down', /cannot start: port 5070 is taken/, /journalctl/],
  [{ daemons: [{ name: 'phone', answers: true, forbidden: true }] }, 'not-allowed', /may not ask the phone/, /sudo/],
  [
    { installed: false, option: ' --data ./p', daemons: [{ name: 'exchange', answers: false, forbidden: false }] },
    'daemon-down',
    /exchange daemon does not answer$/,
    /^hookswitch run --data \.\/p --exchange$/,
  ],
  [
    { status: status({ notices: ['the database is damaged; its copy is in use'] }) },
    'database-restored',
    /its copy is in use/,
    /config list/,
  ],
  [
    { status: status({ notices: ['line.1.password cannot be read: it was encrypted with another device key'] }) },
    'secret-not-readable',
    /line\.1\.password/,
    /config set KEY=-/,
  ],
  [
    { status: status({ notices: [`${notKept}: SQLITE_FULL: database or disk is full`] }) },
    'database-not-written',
    /cannot be written down: SQLITE_FULL/,
    /make room/,
  ],
  [{ damaged: ['/x/phone.db.damaged'] }, 'database-was-damaged', /\/x\/phone\.db\.damaged/, /worn out/],
  [board('led call', 'GPIO 17 may not be used by us: add the user to the group gpio'), 'group-missing', /GPIO 17/, /usermod -aG gpio/],
  [board('', '', 'sysfs by onoff, because this kernel has no /dev/gpiochip0'), 'gpio-by-sysfs', /reached by sysfs by onoff/, /config\.txt/],
  [board('hook', 'GPIO 4 is used by another program or by a kernel driver'), 'pin-busy', /hook: GPIO 4/, /debug\/gpio/],
  [board('keypad', 'no device 1234:5678'), 'board-fault', /keypad: no device/, /wiring/],
  [
    { sound: { handset: { ok: false, reason: 'there is no sound input named USB; there is Built-in' } } },
    'sound-device-gone',
    /there is Built-in/,
    /config set audio\.handset\.input=NAME/,
  ],
  [
    { sound: { handset: { ok: false, reason: 'there is no sound output named usb:0d8c:0014; there is default', standIn: 'speaker' } } },
    'sound-device-gone',
    /\(the speaker helps out\)/,
    /audio list shows: .*audio\.handset\.output=NAME/,
  ],
  [
    { sound: { handset: { ok: false, reason: 'USB means more than one sound input: usb:1:2:a, usb:1:2:b' } } },
    'sound-device-ambiguous',
    /more than one/,
    /say which: .*audio\.handset\.input=NAME/,
  ],
  [
    {
      sound: {
        ringer: { ok: false, reason: 'alsa:Device is plugged in, but offers no sound output: it has none, or another program uses it' },
      },
    },
    'sound-device-busy',
    /plugged in/,
    /fuser/,
  ],
  [{ sound: { ringer: { ok: false, reason: 'no sound for 0.6 s: unplugged?' } } }, 'sound-device-fails', /ringer: no sound/, /aplay -l/],
  [{ status: status({ notices: ['an update was undone: x'] }) }, 'update-undone', /: x$/, /journalctl -u hookswitch-update/],
  [{ status: status({ lines: [] }), registrars: [] }, 'no-line', /no line/, /config set line\.1\.aor/],
  [
    registration({ state: 'rejected', statusCode: 403, reason: 'wrong user name or password' }),
    'wrong-password',
    /wrong user/,
    /line\.1\.password=-/,
  ],
  [registration({ state: 'rejected', statusCode: 404, reason: 'unknown' }), 'unknown-address', /line 1 \(sip:alice/, /line\.1\.aor/],
  [registration({ state: 'rejected', statusCode: 420, reason: 'odd' }), 'registration-refused', /odd/, /registrar/],
  [
    registration({ statusCode: 408, reason: 'does not answer' }),
    'registrar-unreachable',
    /does not answer/,
    /silent by UDP.*transport tcp/,
  ],
  [registration({ statusCode: null, reason: null }, 'unknown name'), 'registrar-unreachable', /no reason/, /name server/],
  [registration({ statusCode: 503, reason: 'x' }, 'unreachable'), 'registrar-unreachable', /x/, /there is no way/],
  [registration({ statusCode: 408, reason: 'x' }, 'response'), 'registrar-unreachable', /x/, /does answer an OPTIONS/],
  [
    {
      registrars: [{ line: '1', registrar: 'pbx:5060', answer: 'response', rewritten: { sent: 'Via 10.0.0.2', received: 'Via 8.8.8.8' } }],
    },
    'sip-alg',
    /SIP ALG/,
    /transport tcp/,
  ],
];

const hints = [
  ...['update-undone', 'disk-low', 'database-was-damaged', 'no-line', 'sip-alg', 'gpio-by-sysfs', 'clock-not-synchronised'],
  ...['memory-low', 'undervoltage-seen', 'was-too-hot', 'sqlite-wal-reset'],
];

t.test('what the doctor finds', async (t) => {
  t.strictSame(diagnose(healthy), []);
  t.strictSame(findingLines([]), ['nothing is wrong']);
  for (const [found, kind, what, mend] of ailments) {
    const findings = diagnose({ ...healthy, ...found });
    t.match(findings, [{ kind, what, mend, trouble: !hints.includes(kind) }], `${kind}: ${findings[0]?.what}`);
    t.equal(findings.length, 1, 'and nothing else');
    t.match(findingLines(findings), [hints.includes(kind) ? /^note {3}/ : /^wrong {2}/, /^ {7}\S/]);
  }
  t.match(
    diagnose({ ...healthy, ...down('phone', {}), wallTime: 0, takenPorts: [{ port: 5060, protocol: 'udp', use: 'SIP' }] }).map(
      ({ kind }) => kind,
    ),
    ['clock-not-set', 'port-taken', 'daemon-down'],
    'causes come before what follows from them',
  );
});

t.test('the table says of each area how it is, and of every finding where', async (t) => {
  const well = healthTable(healthy, []);
  t.equal(well.length, 10);
  t.ok(
    well.every((row) => row.startsWith('ok ')),
    'nothing is wrong',
  );
  for (const fact of [
    /clock +2026-11-20 00:00 UTC/,
    /disk +5000 MB free/,
    /memory +300 MB of 512 MB/,
    /heat +48 °C/,
    /daemons +4 of 4 answer/,
  ]) {
    t.match(well.join('\n'), fact);
  }
  for (const fact of [/SQLite 3\.52\.0/, /sound +1 of 1 work/, /lines +1 of 1 registered/, /TURN +1 of 1 answer/])
    t.match(well.join('\n'), fact);
  t.match(healthTable({ ...healthy, stunServers: [] }, []).join('\n'), /TURN +not used/);
  for (const [found, kind] of ailments) {
    const examined = { ...healthy, ...found };
    const told = healthTable(examined, diagnose(examined)).filter((row) => !row.startsWith('ok '));
    t.equal(told.length, 1, kind);
    t.match(told[0], hints.includes(kind) ? /^note / : /^wrong /);
  }
});

t.test('the machine is asked what it knows, and may know nothing', async (t) => {
  const source = (files: Readonly<Record<string, string>>, outputs: Readonly<Record<string, string>>): MachineSource => ({
    file: (path) => files[path],
    output: async (program) => outputs[program],
  });
  const files = {
    '/proc/meminfo': 'MemTotal:         500000 kB\nMemFree:  1 kB\nMemAvailable:     100000 kB\n',
    '/sys/class/thermal/thermal_zone0/temp': '61322\n',
    '/proc/self/mounts': 'overlayroot / overlay rw 0 0\n/dev/mmcblk0p3 /var/lib/hookswitch ext4 rw 0 0\n',
    '/proc/cmdline': 'root=x overlayroot=tmpfs:recurse=0\n',
  };
  const pi = source(files, { vcgencmd: 'throttled=0x50005\n', timedatectl: 'no\n' });
  t.match(await machineState('/var/lib/hookswitch', pi), {
    memory: { availableBytes: 102_400_000, totalBytes: 512_000_000 },
    temperature: 61.322,
    throttled: 0x5_0005,
    clockSynchronised: false,
    stateForgotten: false,
    sqlite: /^3\.\d+\.\d+$/,
  });
  t.equal((await machineState('/var/lib/other', pi)).stateForgotten, true, 'a protected root keeps nothing');
  const kernel = source(
    { '/sys/devices/platform/soc/soc:firmware/get_throttled': '4\n', '/proc/self/mounts': 'o / overlay rw 0 0\n' },
    { timedatectl: 'yes\n' },
  );
  t.match(
    await machineState('/var/lib/hookswitch', kernel),
    { throttled: 4, clockSynchronised: true, stateForgotten: false },
    'a container',
  );
  const silent = await machineState('/var/lib/hookswitch', source({}, {}));
  t.match(silent, { temperature: undefined, throttled: 0, clockSynchronised: undefined, stateForgotten: false });
  t.same(diagnose({ ...healthy, machine: silent }), [], 'what is not known is not complained of');
  t.ok((await machineState('/tmp')).memory.availableBytes > 0, 'this machine');
});

t.test('STUN and TURN servers are asked by UDP', async (t) => {
  const server = async (t: Test, answer: (request: Buffer) => Uint8Array | undefined): Promise<string> => {
    const socket = createSocket('udp4');
    t.teardown(() => socket.close());
    socket.on('message', (bytes, { port, address }) => {
      const reply = answer(bytes);
      if (reply) socket.send(reply, port, address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return `127.0.0.1:${socket.address().port}`;
  };
  const probe = async (server: string) => (await probeStun({ line: '1', kind: 'TURN', server }, nodeEntropy)).answer;
  const honest = await server(t, (bytes) => answerToBinding(bytes, { address: '192.0.2.1', port: 9 }));
  t.same(await probeStun({ line: '1', kind: 'STUN', server: honest }, nodeEntropy), {
    line: '1',
    kind: 'STUN',
    server: honest,
    answer: 'response',
  });
  const stranger = await server(t, () => answerToBinding(bindingRequest(new Uint8Array(12)), { address: '192.0.2.1', port: 9 }));
  t.equal(await probe(stranger), 'silence', 'the answer to another is none');
  t.equal(await probe('127.0.0.1:9'), 'unreachable');
  t.equal(await probe('stun.invalid'), 'unknown name');
});

t.test('the doctor looks at a phone that does not run, and changes nothing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'hs-doctor-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'phone.db.damaged'), 'x');
  const examined = await examine(findPlace(directory, {}));
  t.match(examined, {
    installed: false,
    option: ` --data ${directory}`,
    status: undefined,
    sound: {},
    damaged: [join(directory, 'phone.db.damaged')],
  });
  t.match(examined.daemons.slice(0, 3), [
    { name: 'hal', answers: false },
    { name: 'media', answers: false },
    { name: 'phone', answers: false },
  ]);
  t.equal(examined.disk.readOnly, false);
  t.ok(examined.disk.freeBytes > 0);
});

t.test('the registrar is asked by UDP', async (t) => {
  const probe = (port: number) => probeRegistrar('1', `sip:bob@127.0.0.1:${port};x=y`, nodeEntropy);
  const echo = (request: string, change: (text: string) => string): string =>
    change(`SIP/2.0 200 OK\r\n${request.split('\r\n').slice(1, 7).join('\r\n')}\r\n\r\n`);

  t.test('§8.2.6.2 an honest response repeats what was sent', async (t) => {
    const port = await registrar(t, (request) => echo(request, (text) => text.replace(';rport', ';rport=9;received=192.0.2.1')));
    t.strictSame(await probe(port), { line: '1', registrar: `127.0.0.1:${port}`, answer: 'response' });
  });

  t.test('a Via or From that comes back changed was written over', async (t) => {
    const via = await registrar(t, (request) => echo(request, (text) => text.replace(/UDP 127[^;]*/, 'UDP 203.0.113.7:40000')));
    t.match(await probe(via), { rewritten: { sent: /^Via 127\.0\.0\.1:\d+$/, received: 'Via 203.0.113.7:40000' } });
    const from = await registrar(t, (request) => echo(request, (text) => text.replace('doctor@127.0.0.1>;tag', 'doctor@203.0.113.7>;tag')));
    t.match(await probe(from), { rewritten: { sent: 'From 127.0.0.1', received: 'From 203.0.113.7' } });
  });

  t.test('strange answers, silence and closed ports are told apart', async (t) => {
    t.match(await probe(await registrar(t, () => 'SIP/2.0 200 OK\r\nCall-ID: of somebody else\r\n\r\n')), { answer: 'silence' });
    t.match(await probe(9), { answer: 'unreachable' });
    t.match(await probeRegistrar('1', 'sip:pbx.invalid', nodeEntropy), { answer: 'unknown name', registrar: 'pbx.invalid:5060' });
    for (const uri of ['sips:a@b', 'sip:a@b;transport=tcp', '']) t.equal(await probeRegistrar('1', uri, nodeEntropy), undefined);
  });
});

async function registrar(t: Test, answer: (request: string) => string): Promise<number> {
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (bytes, { port, address }) => socket.send(answer(bytes.toString()), port, address));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket.address().port;
}
