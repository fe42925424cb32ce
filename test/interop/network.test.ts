import { join } from 'node:path';
import t from 'tap';
import { callOf, handsetSettings, isIdle, lineSettings, makeFolder } from '#test/support/interop-house.ts';
import { startKamailio } from '#test/support/kamailio.ts';
import { NetworkLab } from '#test/support/network-lab.ts';
import { Sipp } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Our phone behind a router that masquerades, in network namespaces of this machine; Debian's Kamailio and SIPp in the world outside. */

const { outsideAddress } = NetworkLab;
const back = '[last_Via:]\n[last_From:]\n[last_To:];tag=sipp[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]';
const accept = `<send><![CDATA[
SIP/2.0 200 OK
${back}
Contact: <sip:203@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [media_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
]]></send>`;

/** Takes a call, and a re-INVITE that must come from the new address, then is hung up on. */
const takesCall = (address: string) => `<?xml version="1.0"?><scenario name="moved">
<recv request="INVITE"/>${accept.replaceAll(';tag=sipp[call_number]', ';tag=sipp1')}<recv request="ACK"/>
<recv request="INVITE"><action><ereg regexp="c=IN IP4 ${address.replaceAll('.', '[.]')}" search_in="msg" check_it="true" assign_to="sdp"/></action></recv>
<Reference variables="sdp"/>
${accept.replaceAll(';tag=sipp[call_number]', '')}<recv request="ACK"/>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
${back.replaceAll(';tag=sipp[call_number]', '')}
Content-Length: 0

]]></send></scenario>`;

t.test('RFC 5626 a phone behind a NAT: another address in a call, a cable that is out, a router that forgets', async (t) => {
  const lab = await NetworkLab.make();
  if (typeof lab === 'string') {
    t.comment(`no network namespaces here, so nothing was tested (it takes root, iproute2 and nftables): ${lab}`);
    return;
  }
  t.teardown(() => lab.remove());
  const folder = makeFolder(t);
  const outside = lab.within('outside');
  const kamailio = await startKamailio(join(folder, 'kamailio'), 5060, {
    within: outside,
    address: outsideAddress,
    stun: true,
    flowTimer: 5,
    routes: { '203': `sip:203@${outsideAddress}:5080` },
  });
  t.teardown(() => kamailio.stop());
  const moved = '192.168.50.3';
  const sipp = await Sipp.start({
    folder: join(folder, 'sipp'),
    within: outside,
    address: outsideAddress,
    port: 5080,
    echoPort: 6000,
    scenario: takesCall(moved),
    timeoutSeconds: 60,
  });
  t.teardown(() => sipp.stop());
  const registeredAt: number[] = [];
  const rtp = await freePorts(40);
  const server = `sip:${outsideAddress}:5060`;
  const settings = {
    ...handsetSettings(folder),
    ...lineSettings('200', 5060),
    'line.main.registrar': server,
    'line.main.outboundProxy': server,
    'sip.address': '0.0.0.0',
    'rtp.portFrom': String(rtp),
    'rtp.portTo': String(rtp + 39),
    'web.port': String(await freePorts(1)),
    'phone.dialPlan': '[2-9]xx',
  };
  const onLine = (line: string): void => {
    if (line.includes('"event":"registration"') && line.includes('"state":"registered"')) registeredAt.push(performance.now());
  };
  const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false, within: lab.within('inside'), onLine });
  t.teardown(() => phone.stop());
  /** How long after now the line is registered anew, ms. */
  const registeredAgain = async (what: string, act: () => Promise<void>, withinMs: number): Promise<number> => {
    const before = registeredAt.length;
    await act();
    const from = performance.now();
    while (registeredAt.length === before && performance.now() - from < withinMs) await new Promise((resolve) => setTimeout(resolve, 20));
    const took = Math.round((registeredAt.at(before) ?? Number.POSITIVE_INFINITY) - from);
    t.comment(`${what}: registered again after ${took} ms`);
    return took;
  };
  await phone.until('it is registered', ({ lines }) => lines[0]?.registration.state === 'registered');

  await phone.hook('offHook');
  await phone.press('203');
  await phone.until('sound comes back through the NAT', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 50);
  const took = await registeredAgain('another address in a call', () => lab.readdress('192.168.50.2', moved), 10_000);
  t.ok(took < 5_000, 'within five seconds');
  await phone.until('the new leg is silent at first', (now) => (callOf(now)?.media?.packetsReceived ?? 0) < 50, 10_000);
  await phone.until('sound comes back to the new address', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 50, 10_000);
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  await sipp.succeeded();

  await lab.plug(false);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  t.ok((await registeredAgain('the cable is in again', () => lab.plug(true), 10_000)) < 5_000, 'within five seconds of its return');

  const forgotten = await registeredAgain('a router that forgets', () => lab.forget('30000-39999'), 20_000);
  t.ok(forgotten < 15_000, 'STUN on the SIP flow finds it, every five seconds');
});
