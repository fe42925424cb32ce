import { join } from 'node:path';
import t from 'tap';
import { loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { Sipp, watcherScenario } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Debian's SIPp watches a line of the phone (RFC 4235). */

const folder = makeFolder(t);
const loopback = await loopbackSettings(folder);
const here = `127.0.0.1:${loopback['sip.port']}`;
const line = { 'line.main.aor': `sip:200@${here}`, 'line.main.register': 'false' };
const policy = { 'sip.acceptDirectCalls': 'true', 'sip.acceptWatchers': 'true' };
const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings: { ...loopback, ...line, ...policy }, exchange: false });
t.teardown(() => phone.stop());

for (const transport of ['u1', 't1'] as const) {
  t.test(`a subscription begins, tells how the line stands, and ends, over ${transport === 'u1' ? 'UDP' : 'TCP'}`, async (t) => {
    const port = await freePorts(1);
    const sipp = await Sipp.start({
      folder: join(folder, transport),
      port,
      target: here,
      service: '200',
      scenario: watcherScenario,
      transport,
    });
    t.teardown(() => sipp.stop());
    await sipp.succeeded();
    t.match(await sipp.messages(), /<dialog-info [^>]*version="0" state="full"/);
  });
}
