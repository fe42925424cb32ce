import { join } from 'node:path';
import t from 'tap';
import { addBaresip, callOf, isIdle, loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { kamailioPassword, kamailioRealm, startKamailio } from '#test/support/kamailio.ts';
import { NameServer } from '#test/support/name-server.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Two Kamailios that know nothing of each other, named by SRV records of one domain in a real name server; our phone knows the domain. */

t.test(
  'RFC 3263 the first Kamailio is killed: a call goes by the second and the line follows; the first is back: so is the line',
  async (t) => {
    const folder = makeFolder(t);
    const ports = [await freePorts(1), await freePorts(1)] as const;
    const dns = await NameServer.start(t);
    const service = (priority: number, port: number) => ({ priority, weight: 0, port, target: `pbx.${kamailioRealm}` });
    for (const [i, port] of ports.entries()) {
      dns.add({ type: 'SRV', name: `_sip._udp.${kamailioRealm}`, ttl: 60, data: service(i + 1, port) });
    }
    dns.add({ type: 'A', name: `pbx.${kamailioRealm}`, ttl: 60, data: '127.0.0.1' });
    const first = await startKamailio(join(folder, 'first'), ports[0]);
    t.teardown(() => first.stop());
    const second = await startKamailio(join(folder, 'second'), ports[1]);
    t.teardown(() => second.stop());
    const base = await loopbackSettings(folder);
    const settings = {
      ...base,
      'sip.trace': 'true',
      'sip.nameServers': dns.address,
      'line.main.aor': `sip:200@${kamailioRealm}`,
      'line.main.password': kamailioPassword('200'),
    };
    const watchers = new Set<(line: string) => void>();
    const onLine = (line: string): void => {
      for (const watcher of [...watchers]) watcher(line);
    };
    /** The log tells of a 200 to a REGISTER from that port. */
    const registeredAt = (port: number): Promise<void> =>
      new Promise((resolve) => {
        const watcher = (line: string): void => {
          if (!line.includes('200 OK') || !line.includes('REGISTER') || !line.includes(`:${port}`)) return;
          watchers.delete(watcher);
          resolve();
        };
        watchers.add(watcher);
      });
    const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false, onLine });
    t.teardown(() => phone.stop());
    await phone.until('it is registered', ({ lines }) => lines[0]?.registration.state === 'registered');
    const house = { folder, kamailio: first, phone, heard: join(folder, 'heard.wav'), sipPort: Number(base['sip.port']) };
    const far = await addBaresip(t, { ...house, kamailioPort: ports[1] }, '201', 'auto');

    await first.stop();
    const killed = performance.now();
    await phone.hook('offHook');
    await phone.until('the dial tone sounds', ({ tone }) => tone === 'dial');
    await phone.press('201');
    await far.saw('CALL_ESTABLISHED');
    const took = performance.now() - killed;
    t.ok(took < 10_000, `talking by the second server ${Math.round(took)} ms after the first was killed, dialling included`);
    await phone.hook('onHook');
    await far.saw('CALL_CLOSED');
    await phone.until('it is idle', isIdle);

    far.forget();
    far.command('dial', `sip:200@${kamailioRealm}`);
    await phone.until('a call by the second server rings: the line is registered there', (status) => callOf(status)?.state === 'ringing');
    far.command('hangup');
    await phone.until('it is idle', isIdle);

    const revived = await startKamailio(join(folder, 'revived'), ports[0]);
    t.teardown(() => revived.stop());
    const back = performance.now();
    await registeredAt(ports[0]);
    t.comment(`registered at the first again ${Math.round(performance.now() - back)} ms after it was back`);
    const near = await addBaresip(t, { ...house, kamailioPort: ports[0] }, '202', 'auto');
    near.command('dial', `sip:200@${kamailioRealm}`);
    await phone.until('a call by the first server rings', (status) => callOf(status)?.state === 'ringing');
    t.equal(phone.status?.lines[0]?.registration.state, 'registered');
  },
);
