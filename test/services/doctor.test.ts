import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { protectedNotice } from '#firmware/platform/lasting-state.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { diagnose, type Examination, findingLines, type UnitState } from '#services/cli/doctor.ts';
import { examine } from '#services/cli/examination.ts';
import { findPlace } from '#services/cli/place.ts';
import { probeRegistrar } from '#services/cli/registrar-probe.ts';
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
};
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

t.test('what the doctor finds', async (t) => {
  t.strictSame(diagnose(healthy), []);
  t.strictSame(findingLines([]), ['nothing is wrong']);
  const hints = ['update-undone', 'disk-low', 'database-was-damaged', 'no-line', 'sip-alg', 'gpio-by-sysfs'];
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
