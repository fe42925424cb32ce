import { join } from 'node:path';
import t from 'tap';
import { startHouse } from '#test/support/interop-house.ts';
import { Sipp } from '#test/support/sipp.ts';
import { notifierScenario } from '#test/support/sipp-events.ts';
import { freePorts } from '../../scripts/free-ports.ts';

/** Presence by Debian's Kamailio as presence server, and lines that SIPp plays. */

t.test('RFC 3903, 3856 what the phone publishes comes back to who watches it: ready, and not to be disturbed', async (t) => {
  const settings = { 'line.main.publishPresence': 'true', 'line.main.watchPresence': '200' };
  const { phone } = await startHouse(t, settings, { presence: true });
  const presence = async (state: string) => {
    const { watched } = await phone.until(`presence is ${state}`, (status) => status.watched[0]?.state === state);
    return watched[0];
  };
  t.match(await presence('open'), { name: '200', kind: 'presence' });
  await phone.link.command('setDoNotDisturb', { on: true, line: undefined });
  t.match(await presence('away'), { state: 'away' });
  await phone.link.command('setDoNotDisturb', { on: false, line: undefined });
  t.match(await presence('open'), { state: 'open' });
});

t.test('RFC 4235 SIPp as a line that rings and is busy: by partial documents, and what is no document changes nothing', async (t) => {
  const { phone, folder } = await startHouse(t);
  const port = await freePorts(1);
  const sipp = await Sipp.start({ folder: join(folder, 'line'), port, scenario: notifierScenario, transport: 'u1' });
  t.teardown(() => sipp.stop());
  await phone.link.command('changeSettings', {
    set: { 'line.2.aor': `sip:lamp@127.0.0.1`, 'line.2.register': 'false', 'line.2.watch': `sip:bob@127.0.0.1:${port}` },
    unset: [],
  });
  const states = ['idle', 'ringing', 'busy', 'idle'];
  for (const state of states) await phone.until(`the line is ${state}`, ({ watched }) => watched[0]?.state === state);
  await phone.until('what was no XML is counted', ({ counters }) => counters['event-document-unreadable'] === 1);
  await phone.link.command('changeSettings', { set: {}, unset: ['line.2.watch'] });
  await sipp.succeeded();
  t.pass('unsubscribed');
});
