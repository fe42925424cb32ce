import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { Baresip } from '#test/support/baresip.ts';
import { startTurn } from '#test/support/coturn.ts';
import { callOf, handsetSettings, isIdle, lineSettings, makeFolder, ourSpeech, theirSpeech } from '#test/support/interop-house.ts';
import { startKamailio } from '#test/support/kamailio.ts';
import { NetworkLab } from '#test/support/network-lab.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { readSpeech } from '../../scripts/speech.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Calls that find their way by ICE, in network namespaces of this machine: our phone behind a NAT, a foreign one outside. */

const { outsideAddress } = NetworkLab;
const sampleRate = 8000;
const seconds = 2;

function likeness(recording: Int16Array, speech: string): number {
  const end = recording.length - sampleRate / 2;
  return align(recording.subarray(Math.max(0, end - seconds * sampleRate), end), readSpeech(speech)).correlation;
}

const lab = await NetworkLab.make();
if (typeof lab === 'string') t.comment(`no network namespaces here, so nothing was tested (it takes root, iproute2 and nftables): ${lab}`);
else {
  t.teardown(() => lab.remove());
  const folder = makeFolder(t);
  const kamailio = await startKamailio(join(folder, 'kamailio'), 5060, { within: lab.within('outside'), address: outsideAddress });
  t.teardown(() => kamailio.stop());
  const turn = await startTurn(join(folder, 'turn'), outsideAddress, 3478, lab.within('outside'));
  t.teardown(() => turn.stop());
  // Ports that the router keeps as they are.
  const rtp = 24_000;
  const server = `sip:${outsideAddress}:5060`;
  const settings = {
    ...handsetSettings(folder),
    ...lineSettings('200', 5060),
    'line.main.registrar': server,
    'line.main.outboundProxy': server,
    'line.main.ice': 'true',
    'line.main.stunServer': outsideAddress,
    'line.main.turnServer': outsideAddress,
    'line.main.turnUsername': 'phone',
    'line.main.turnPassword': 'secret',
    'sip.address': '0.0.0.0',
    'rtp.portFrom': String(rtp),
    'rtp.portTo': String(rtp + 39),
    'web.port': String(await freePorts(1)),
    'phone.dialPlan': '[2-9]xx',
    'jitterBuffer.minimumMs': '120',
  };
  const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false, within: lab.within('inside') });
  t.teardown(() => phone.stop());
  await phone.until('it is registered', ({ lines }) => lines[0]?.registration.state === 'registered');

  for (const [user, direction] of [
    ['201', 'out'],
    ['202', 'in'],
  ] as const) {
    t.test(`RFC 8445 a call ${direction} with baresip’s ICE, without rtcp-mux: speech arrives at both ends`, async (t) => {
      const baresip = await Baresip.start({
        folder: join(folder, `baresip-${user}`),
        user,
        port: await freePorts(24),
        proxyPort: 5060,
        proxyAddress: outsideAddress,
        address: outsideAddress,
        within: lab.within('outside'),
        speech: theirSpeech,
        answer: 'auto',
        modules: ['ice'],
        account: ['medianat=ice'],
      });
      t.teardown(() => baresip.stop());
      if (direction === 'out') {
        await phone.hook('offHook');
        await phone.press(user);
      } else {
        baresip.command('dial', `sip:200@${outsideAddress}`);
        await phone.until('it rings', (now) => callOf(now)?.state === 'ringing');
        await phone.hook('offHook');
      }
      await baresip.saw('CALL_ESTABLISHED');
      const status = await phone.until('4 s of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 200, 20_000);
      const weHeard = likeness(readSpeech(join(folder, 'heard.wav')), theirSpeech);
      await phone.hook('onHook');
      await baresip.saw('CALL_CLOSED');
      await phone.until('it is idle', isIdle);
      const theyHeard = likeness(readSpeech(await baresip.heardFile()), ourSpeech);
      const way = callOf(status)?.way ?? '';
      t.comment(`${way}, correlation over ${seconds} s: they heard ${theyHeard.toFixed(4)}, we heard ${weHeard.toFixed(4)}`);
      t.ok(theyHeard >= 0.9, `they heard us: ${theyHeard}`);
      t.ok(weHeard >= 0.9, `we heard them: ${weHeard}`);
    });
  }
}
