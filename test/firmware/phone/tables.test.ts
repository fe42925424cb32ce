import t from 'tap';
import type { StateTable } from '#firmware/core/state-table.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import { callTable } from '#firmware/phone/call-table.ts';
import { handsetTable } from '#firmware/phone/handset-table.ts';
import { type Alarm, Machine } from '#firmware/phone/machine.ts';
import { phoneTables } from '../../../scripts/draw-state-tables.ts';

for (const [name, table] of phoneTables) {
  const initial = name === 'Call' ? ['opening', 'offered'] : Object.keys(table).slice(0, 1);
  t.test(`the table “${name}” is whole`, async (t) => {
    const states = Object.keys(table);
    const reached = new Set<string>(initial);
    for (const [state, row] of Object.entries(table)) {
      for (const timer of row.timers) t.ok(row.on[`timer ${timer}`], `${state}: its timer ${timer} leads somewhere`);
      for (const [input, step] of Object.entries(row.on)) {
        if (!step) continue;
        t.ok(states.includes(step.to), `${state}: ${input} leads to a state there is`);
        if (input.startsWith('timer ')) t.ok(row.timers.includes(input.slice(6)), `${state}: ${input} can run there`);
        reached.add(step.to);
      }
    }
    t.strictSame(
      states.filter((state) => !reached.has(state)),
      [],
      'every state is reached',
    );
  });
}

t.test('every state of a call that is not over can be left by hanging up or declining', async (t) => {
  for (const [state, row] of Object.entries(callTable)) {
    if (state === 'ending' || state === 'ended') continue;
    t.ok(row.on.hangUp ?? row.on.decline, state);
  }
});

t.test('hanging up leads the handset to rest from everywhere', async (t) => {
  for (const [state, row] of Object.entries(handsetTable)) if (state !== 'idle') t.equal(row.on.release?.to, 'idle', state);
});

type State = 'idle' | 'busy' | 'done';
type Action = 'first' | 'second';
type Timer = 'limit' | 'never';
const sample: StateTable<State, 'begin' | `timer ${Timer}`, Action, Timer> = {
  idle: { timers: [], on: { begin: { to: 'busy', do: ['first'] } } },
  busy: { timers: ['limit', 'never'], on: { begin: { to: 'busy', do: [] }, 'timer limit': { to: 'done', do: ['second'] } } },
  done: { timers: [], on: {} },
};

t.test('a machine runs its timers, does its actions and ignores what its state does not know', async (t) => {
  const alarms = new TimerTable<Alarm>();
  const done: string[] = [];
  const machine = new Machine<State, 'begin', Action, Timer>(sample, 'idle', alarms, {
    delayOf: (timer) => (timer === 'limit' ? 100 : undefined),
    actions: {
      first: (now) => done.push(`first at ${now}`),
      second: (now) => done.push(`second at ${now}`),
    },
  });
  t.equal(machine.takes('begin'), true);
  t.equal(machine.input(5, 'begin'), true);
  t.equal(alarms.deadline, 105);
  t.equal(alarms.size, 1, 'a timer without a time does not run');
  machine.restart(50, 'limit');
  t.equal(alarms.deadline, 150, 'set anew');
  alarms.takeDue(150)?.fire(150);
  t.equal(machine.state, 'done');
  t.strictSame(done, ['first at 5', 'second at 150']);
  t.equal(machine.input(160, 'begin'), false, 'nothing is known there');
  t.equal(alarms.size, 0);
});

t.test('a machine that is disposed of leaves no timer behind', async (t) => {
  const alarms = new TimerTable<Alarm>();
  const actions = { first: () => undefined, second: () => undefined };
  const machine = new Machine<State, 'begin', Action, Timer>(sample, 'idle', alarms, { delayOf: () => 10, actions });
  machine.input(0, 'begin');
  t.equal(alarms.size, 2);
  machine.dispose();
  t.equal(alarms.size, 0);
});
