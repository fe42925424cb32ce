import { join } from 'node:path';
import t from 'tap';
import { loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { Sipp, watcherScenario } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Debian's SIPp watches a line of the phone (RFC 4235, 3856, 6910). */

const folder = makeFolder(t);
const loopback = await loopbackSettings(folder);
const here = `127.0.0.1:${loopback['sip.port']}`;
const line = { 'line.main.aor': `sip:200@${here}`, 'line.main.register': 'false' };
const policy = { 'sip.acceptDirectCalls': 'true', 'sip.acceptWatchers': 'true', 'sip.offerCompletion': 'true' };
const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings: { ...loopback, ...line, ...policy }, exchange: false });
t.teardown(() => phone.stop());

const cases = [
  ['dialog', 'application/dialog-info+xml', 'u1', /<dialog-info [^>]*version="0" state="full"/],
  ['dialog', 'application/dialog-info+xml', 't1', /<dialog-info [^>]*version="0" state="full"/],
  ['presence', 'application/pidf+xml', 'u1', /<basic>open<\/basic>/],
  ['call-completion', 'application/call-completion', 'u1', /cc-state: ready/],
] as const;

for (const [event, type, transport, told] of cases) {
  t.test(
    `a subscription to ${event} begins, tells how the line stands, and ends, over ${transport === 'u1' ? 'UDP' : 'TCP'}`,
    async (t) => {
      const sipp = await Sipp.start({
        folder: join(folder, `${event}-${transport}`),
        port: await freePorts(1),
        target: here,
        service: '200',
        scenario: watcherScenario(event, type),
        transport,
      });
      t.teardown(() => sipp.stop());
      await sipp.succeeded();
      t.match(await sipp.messages(), told);
    },
  );
}
