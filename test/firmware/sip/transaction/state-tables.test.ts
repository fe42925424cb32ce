import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { inviteClientTable } from '#firmware/sip/transaction/invite-client.ts';
import { inviteServerTable } from '#firmware/sip/transaction/invite-server.ts';
import { nonInviteClientTable } from '#firmware/sip/transaction/non-invite-client.ts';
import { nonInviteServerTable } from '#firmware/sip/transaction/non-invite-server.ts';
import { faultsOf } from '#test/support/state-table-walk.ts';
import { drawnTables, stateMachinesPage } from '../../../../scripts/draw-state-tables.ts';

t.test('every table leads from its first state through all others to terminated, and every timer has its input', async (t) => {
  for (const [title, table] of drawnTables) t.strictSame(faultsOf(table, 'terminated'), [], title);
  const broken = {
    begin: { timers: ['A'], on: { go: { to: 'nowhere', do: [] }, 'timer B': { to: 'begin', do: [] } } },
    lost: { timers: [], on: {} },
    terminated: { timers: [], on: { again: { to: 'begin', do: [] } } },
  };
  t.strictSame(faultsOf(broken, 'terminated').length, 8, 'the walk finds what is wrong');
});

t.test('every state of a transaction that waits for somebody else has an end in time, but where the user decides', async (t) => {
  const endless = (table: Readonly<Record<string, { readonly timers: readonly string[] }>>) =>
    Object.keys(table).filter((state) => state !== 'terminated' && table[state]?.timers.length === 0);
  t.strictSame(endless(inviteClientTable), ['proceeding'], 'the callee may let it ring; the user cancels');
  t.strictSame(endless(nonInviteClientTable), []);
  t.strictSame(endless(inviteServerTable), ['proceeding'], 'the user answers');
  t.strictSame(endless(nonInviteServerTable), ['trying', 'proceeding'], 'the user answers');
});

t.test('docs/state-machines.md shows the tables as they are', async (t) => {
  const path = join(import.meta.dirname, '../../../../docs/state-machines.md');
  const page = stateMachinesPage();
  if (process.env.HOOKSWITCH_WRITE_DOCS) writeFileSync(path, page);
  t.ok(
    readFileSync(path, 'utf8') === page,
    'is up to date: HOOKSWITCH_WRITE_DOCS=1 npx tap test/firmware/sip/transaction/state-tables.test.ts',
  );
});
