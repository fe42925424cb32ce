import { mkdtempSync, readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Journal } from '#firmware/contract/journal.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { CallJournal, thisMachine } from '#services/phone/call-journal.ts';

const folder = mkdtempSync(join(tmpdir(), 'hs-journal-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
let files = 0;

const session = {
  session: 's1',
  account: null,
  dialog: {
    callId: 'c1',
    local: '<sip:a@192.0.2.1>;tag=1',
    remote: '<sip:b@192.0.2.2>;tag=2',
    routeSet: [],
    remoteTarget: 'sip:b@192.0.2.2',
    localSequence: 1,
    remoteSequence: null,
  },
  ownsCallId: true,
  inviteSequence: 1,
  timer: null,
  theyTakeUpdate: false,
  described: null,
};
const call = {
  call: 'x1',
  owner: { kind: 'handset' as const },
  line: null,
  direction: 'outgoing' as const,
  remote: { displayName: '', uri: 'sip:b@192.0.2.2' },
  dialString: 'b',
  localAddress: '192.0.2.1',
  rtpPort: 16_384,
  rtcpPort: 16_385,
  createdAt: 1_000,
  acceptedAt: 2_000,
  onHold: false,
  offers: {},
  session,
};
const journal: Journal = {
  contactUsers: { main: 'u1' },
  handset: { grip: 'lifted', focus: 'x1', putAside: [], conference: [] },
  calls: [call],
};

/** A machine whose monotonic clock a test sets; process clocks begin at 0 with each process. */
function rig(path = join(folder, `calls-${++files}`)) {
  const machine = { boot: 'boot-1', time: 50_000, now: () => machine.time };
  const reasons: unknown[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (_, fields) => reasons.push(fields?.reason),
  };
  const process = (version = '1.0.0') => {
    const born = machine.time;
    return new CallJournal(path, version, { ...nodeClock, now: () => machine.time - born }, machine, logger);
  };
  return { path, machine, reasons, process };
}

t.test('a successor finds the calls, on its own clock, and only once', async (t) => {
  const { path, machine, process } = rig();
  const first = process();
  machine.time += 10_000;
  first.keep(journal);
  t.equal(statSync(path).mode & 0o777, 0o600, 'nobody else may read it');
  machine.time += 700;
  const second = process();
  t.strictSame(second.take(), { journal, clockShift: -10_700, awayMs: 700 });
  t.equal(second.take(), undefined, 'calls that bring down their heir have no second one');
  first.close();
  second.close();
});

t.test('the file is whole at any time, and goes with a phone that stops as it should', async (t) => {
  const { path, process } = rig(join(folder, 'whole-calls'));
  const phone = process();
  phone.keep(journal);
  phone.keep({ ...journal, calls: [] });
  t.strictSame(JSON.parse(readFileSync(path, 'utf8')).journal.calls, []);
  t.strictSame(
    readdirSync(folder).filter((name) => name.startsWith('whole-calls')),
    ['whole-calls'],
    'nothing beside it',
  );
  phone.close();
  t.strictSame(
    readdirSync(folder).filter((name) => name.startsWith('whole-calls')),
    [],
  );
});

t.test('what is stale, damaged or not ours is left alone, and said', async (t) => {
  const after = (change: (rigged: ReturnType<typeof rig>) => void, version?: string) => {
    const rigged = rig();
    const phone = rigged.process();
    phone.keep(journal);
    change(rigged);
    const found = rigged.process(version).take();
    phone.close();
    return { found, reason: String(rigged.reasons[0]) };
  };
  const edited = (edit: (text: string) => string) => after(({ path }) => writeFileSync(path, edit(readFileSync(path, 'utf8'))));
  const cases = {
    'another boot': after(({ machine }) => Object.assign(machine, { boot: 'boot-2' })),
    'a clock that was set back by a boot': after(({ machine }) => Object.assign(machine, { time: 10 })),
    'an hour later': after(({ machine }) => Object.assign(machine, { time: 3_600_000 })),
    'another firmware': after(() => undefined, '1.0.1'),
    'half a file': edited((text) => text.slice(0, 200)),
    'no journal': edited(() => '[]'),
    'a port that is none': edited((text) => text.replace('16384', '99999')),
    'a symbolic link': after(({ path }) => {
      renameSync(path, `${path}.real`);
      symlinkSync(`${path}.real`, path);
    }),
  };
  for (const [title, { found, reason }] of Object.entries(cases)) {
    t.equal(found, undefined, `${title}: ${reason}`);
    t.not(reason, 'undefined');
  }
});

t.test('a directory that takes nothing keeps no call waiting', async (t) => {
  const { process, reasons } = rig(join(folder, 'missing', 'calls'));
  const phone = process();
  phone.keep(journal);
  t.match(reasons, [/ENOENT/]);
  phone.close();
});

t.test('this machine tells its boot, or nothing', async (t) => {
  const { boot, now } = thisMachine();
  t.match(boot, /^([0-9a-f-]{36})?$/);
  t.ok(now() > 0);
});
