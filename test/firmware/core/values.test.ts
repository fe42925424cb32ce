import t from 'tap';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { type Entropy, randomFraction, randomToken, randomUint32 } from '#firmware/core/entropy.ts';
import { InvariantError, messageOf, RemoteError, ResourceError, UsageError } from '#firmware/core/errors.ts';
import { type LogFields, type Logger, silentLogger } from '#firmware/core/logger.ts';
import { type StateTable, stepOf } from '#firmware/core/state-table.ts';

type State = 'idle' | 'waiting' | 'done';
type Input = 'begin' | 'again' | 'end';
type Action = 'send' | 'tell';
type Timer = 'resend' | 'giveUp' | 'linger';

const table: StateTable<State, Input, Action, Timer> = {
  idle: { timers: [], on: { begin: { to: 'waiting', do: ['send'] } } },
  waiting: { timers: ['resend', 'giveUp'], on: { again: { to: 'waiting', do: ['send'] }, end: { to: 'done', do: ['tell'] } } },
  done: { timers: ['giveUp', 'linger'], on: {} },
};

t.test('a state table says where an input leads, what to do and which timers stop and start', async (t) => {
  t.strictSame(stepOf(table, 'idle', 'begin'), { to: 'waiting', do: ['send'], stop: [], start: ['resend', 'giveUp'] });
  t.strictSame(
    stepOf(table, 'waiting', 'end'),
    { to: 'done', do: ['tell'], stop: ['resend'], start: ['linger'] },
    'a timer both states list goes on running',
  );
  t.strictSame(
    stepOf(table, 'waiting', 'again'),
    { to: 'waiting', do: ['send'], stop: [], start: [] },
    'staying leaves the timers as they are',
  );
  t.equal(stepOf(table, 'idle', 'end'), undefined, 'an input a state does not list is ignored');
});

t.test('counters total by name, describe themselves in order and stay bounded', async (t) => {
  const counters = new Counters();
  t.equal(counters.get('bad-header'), 0);
  t.equal(counters.add('bad-header'), 1);
  t.equal(counters.add('bad-header'), 2);
  counters.add('__proto__');
  counters.add('a');
  t.strictSame(Object.entries(counters.describe()), [
    ['__proto__', 1],
    ['a', 1],
    ['bad-header', 2],
  ]);
  for (let n = 0; n < 1000; n++) counters.add(`flood-${n}`);
  t.equal(Object.keys(counters.describe()).length, 256, 'names beyond the limit are not kept');
  t.equal(counters.add('one-more'), 0, 'and a refused name counts nothing');
  t.equal(counters.add('bad-header'), 3, 'known names go on counting');
});

t.test('a limited log warns once per interval and event, then says how many it held back', async (t) => {
  const { logger, lines } = recordingLogger();
  const log = new LimitedLog(logger, 1000);
  log.warn(5000, 'bad-packet', { from: '192.0.2.1' });
  log.warn(5001, 'bad-packet', { from: '192.0.2.2' });
  log.warn(5999, 'bad-packet');
  log.warn(5999, 'other');
  log.warn(6000, 'bad-packet', { from: '192.0.2.4' });
  log.warn(7000, 'bad-packet');
  t.strictSame(lines, [
    ['bad-packet', { from: '192.0.2.1' }],
    ['other', {}],
    ['bad-packet', { from: '192.0.2.4', suppressed: 2 }],
    ['bad-packet', {}],
  ]);
  for (let n = 0; n < 1000; n++) log.warn(8000, `flood-${n}`);
  t.equal(lines.length, 4 + 254, 'and knows a bounded number of events');
});

t.test('random values are drawn from the entropy given, all of it and nothing else', async (t) => {
  const counting: Entropy = { bytes: (length) => Uint8Array.from({ length }, (_, n) => n) };
  t.equal(randomToken(counting, 34), 'abcdefghijklmnopqrstuvwxyz234567ab');
  t.equal(randomToken(counting, 0), '');
  t.equal(randomUint32(counting), 0x00010203);
  t.equal(randomFraction({ bytes: () => Uint8Array.of(0x80, 0, 0, 0) }), 0.5);
  const highest = randomFraction({ bytes: (length) => new Uint8Array(length).fill(255) });
  t.ok(highest > 0.999 && highest < 1, 'the highest draw stays under 1');
  const part = new Uint8Array([9, 9, 0, 0, 1, 0]).subarray(2);
  t.equal(randomUint32({ bytes: () => part }), 256, 'a view into a larger buffer is read from its own start');
});

t.test('an error names whose fault it is', async (t) => {
  t.equal(new RemoteError('x').name, 'RemoteError');
  t.equal(new InvariantError('x').name, 'InvariantError');
  t.equal(new ResourceError('x').name, 'ResourceError');
  const usage = new UsageError('unknown-setting', 'There is no setting "x".');
  t.equal(usage.code, 'unknown-setting');
  t.equal(messageOf(usage), 'There is no setting "x".');
  t.equal(messageOf('a string was thrown'), 'a string was thrown');
  t.equal(messageOf(undefined), 'undefined');
});

t.test('the silent logger takes every level and says nothing', async (t) => {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) t.equal(silentLogger[level]('event', { a: 1 }), undefined);
});

function recordingLogger(): { logger: Logger; lines: [string, LogFields][] } {
  const lines: [string, LogFields][] = [];
  return { logger: { ...silentLogger, warn: (event, fields = {}) => void lines.push([event, fields]) }, lines };
}
