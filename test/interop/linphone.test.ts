import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { startTurn } from '#test/support/coturn.ts';
import { callOf, isIdle, startHouse, theirSpeech } from '#test/support/interop-house.ts';
import { kamailioRealm } from '#test/support/kamailio.ts';
import { Linphone } from '#test/support/linphone.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { readSpeech } from '../../scripts/speech.ts';

/**
 * Our phone and three of Debian's Linphone (linphone-daemon of linphone-cli) at a real Kamailio. Linphone has no sound card: it sends a file, and
 * how much it hears is known by the bandwidth it writes down. It does not know acknowledged provisional responses (no 100rel in its Supported),
 * and wants to refresh calls itself, so that our refreshing it is not to be seen.
 */

const sampleRate = 8000;
const house = await startHouse(t, { 'jitterBuffer.minimumMs': '120' });
const { phone, heard, folder } = house;
const first = await addLinphone('301', await freePorts(24), 90);
const second = await addLinphone('302', await freePorts(24), 60);
const keeperPort = await freePorts(24);
const keeper = await addLinphone('303', keeperPort, 90);
const offer = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6002 RTP/AVP 0\r\n';
const body = { contentType: 'application/sdp', bytes: new TextEncoder().encode(offer) };
// Its first refresh comes while the others are tested.
const lasting = await startLastingCall();

async function addLinphone(user: string, port: number, sessionExpires: number): Promise<Linphone> {
  const linphone = await Linphone.start({
    folder: join(folder, `linphone-${user}`),
    user,
    port,
    proxyPort: house.kamailioPort,
    configuration: {
      sip: ['session_expires_enabled=1', `session_expires_value=${sessionExpires}`, `session_expires_min_value=${sessionExpires}`],
    },
  });
  t.teardown(() => linphone.stop());
  return linphone;
}

t.afterEach(async () => {
  // A test that failed leaves nothing to the next one.
  await Promise.allSettled([first.command('terminate'), second.command('terminate')]);
  await hangUp();
});

t.beforeEach(async () => {
  await first.forget();
  await second.forget();
});

/** We call Linphone, which accepts; gives the number it has for the call. */
async function talkTo(linphone: Linphone, number: string): Promise<string> {
  await phone.hook('offHook');
  await phone.press(number);
  const id = await linphone.saw('IncomingReceived');
  await linphone.command(`answer ${id}`);
  await linphone.saw('StreamsRunning');
  await phone.until('the call is up', (status) => callOf(status)?.state === 'active');
  return id;
}

async function hangUp(): Promise<void> {
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
}

/** Linphone speaks; how like it the best second is of what we hear. A busy machine may make the jitter buffer jump within others. */
async function listen(linphone: Linphone): Promise<number> {
  await linphone.command(`incall-player-start ${theirSpeech}`);
  const speech = readSpeech(theirSpeech);
  let best = 0;
  for (let seconds = 0; seconds < 8 && best < 0.9; seconds++) {
    const before = callOf(phone.status)?.media?.packetsReceived ?? 0;
    await phone.until('a second of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= before + 75);
    best = Math.max(best, align(readSpeech(heard).subarray(-1.5 * sampleRate, -0.5 * sampleRate), speech).correlation);
  }
  return best;
}

t.test('RFC 3264 §8.4 a call to Linphone: speech, hold and resumption by us and by Linphone', async (t) => {
  const id = await talkTo(first, '301');
  const likeness = await listen(first);
  t.comment(`correlation of what we heard: ${likeness.toFixed(4)}`);
  t.ok(likeness >= 0.9, `we heard it: ${likeness}`);

  t.match(await phone.cli('hold'), { code: 0 });
  await first.saw('PausedByRemote');
  await phone.until('we hold', (status) => callOf(status)?.state === 'held');
  t.match(await phone.cli('resume'), { code: 0 });
  await first.saw('StreamsRunning');
  await phone.until('we talk', (status) => callOf(status)?.state === 'active');

  await first.command(`call-pause ${id}`);
  await phone.until('we are held', (status) => callOf(status)?.heldByRemote === true);
  await first.saw('Paused');
  await first.command(`call-resume ${id}`);
  await phone.until('we are held no longer', (status) => callOf(status)?.heldByRemote === false);
  await first.saw('StreamsRunning');
  await hangUp();
  await first.saw('Released');
  const bandwidths = [...(await first.log()).matchAll(/RTP : \[d=([\d.]+)/g)].map(([, kilobits]) => Number(kilobits));
  t.ok(Math.max(...bandwidths) > 60, `Linphone heard ${Math.max(...bandwidths)} kbit/s`);
});

t.test('RFC 4028 §6 Linphone asks for too brief a session timer: 422, and it calls again with what we grant', async (t) => {
  await second.command(`call sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await phone.hook('offHook');
  await second.saw('StreamsRunning');
  await hangUp();
  await second.saw('Released');
  const log = await second.log();
  t.match(log, /SIP\/2\.0 422 Session Interval Too Small[\s\S]*?Min-SE: 90[\s\S]*?INVITE [\s\S]*?Session-Expires: 90/);
  t.match(log.slice(log.lastIndexOf('SIP/2.0 422 ')), /SIP\/2\.0 200 [\s\S]*?Session-Expires: 90;refresher=uac/);
});

t.test('RFC 5589 §6.1 we send Linphone on: it calls the target, tells us that it worked, and we are out of it', async (t) => {
  await talkTo(first, '301');
  t.match(await phone.cli('transfer', '302'), { code: 0 });
  await second.command(`answer ${await second.saw('IncomingReceived')}`);
  await second.saw('StreamsRunning');
  await phone.until('we are out of it', ({ calls }) => calls.length === 0);
  await hangUp();
  await second.command('terminate');
  await first.saw('Released');
});

t.test('RFC 5589 §6.1 Linphone sends us on: we call the target, and Linphone is told and leaves', async () => {
  const id = await talkTo(first, '301');
  await first.command(`call-transfer ${id} sip:302@${kamailioRealm}`);
  await first.saw('PausedByRemote');
  await second.command(`answer ${await second.saw('IncomingReceived')}`);
  await second.saw('StreamsRunning');
  await first.saw('Released');
  await phone.until('only the call to the target is left', (now) => now.calls.length === 1 && callOf(now)?.state === 'active');
  await hangUp();
  await second.saw('Released');
});

t.test('RFC 5589 §7 we connect two Linphones: the one takes our place at the other', async (t) => {
  await talkTo(first, '301');
  t.match(await phone.cli('hold'), { code: 0 });
  await phone.until('the first is held', (status) => callOf(status)?.state === 'held');
  t.match(await phone.cli('call', '302'), { code: 0 });
  await second.command(`answer ${await second.saw('IncomingReceived')}`);
  await phone.until('both are there', ({ calls }) => calls.some(({ state }) => state === 'active') && calls.length === 2);
  t.match(await phone.cli('transfer'), { code: 0 });
  await phone.until('we are out of it', ({ calls }) => calls.length === 0);
  await second.saw('IncomingReceived');
  await second.saw('StreamsRunning');
  await hangUp();
  await second.command('terminate');
  await first.saw('Released');
});

t.test('RFC 5589 §7 Linphone connects us with another: our call takes its place there', async () => {
  const ours = await talkTo(first, '301');
  await first.command(`call sip:302@${kamailioRealm}`);
  await second.command(`answer ${await second.saw('IncomingReceived')}`);
  await second.saw('StreamsRunning');
  const theirs = await first.saw('StreamsRunning');
  await phone.until('we are held', (status) => callOf(status)?.heldByRemote === true);
  await first.command(`call-transfer ${ours} ${theirs}`);
  await phone.until('we talk to the other', (now) => now.calls.length === 1 && callOf(now)?.remote.uri.startsWith('sip:302@') === true);
  await phone.until('its sound is due', (now) => callOf(now)?.state === 'active');
  await second.saw('Released');
  await hangUp();
  await second.saw('Released');
});

t.test('RFC 4568 calls each way with keys by SDES: AES_CM_128_HMAC_SHA1_80, speech decrypted', async (t) => {
  await phone.link.command('changeSettings', { set: { 'line.main.encryption': 'mandatory' }, unset: [] });
  await first.command('media-encryption srtp');
  await talkTo(first, '301');
  t.ok((await listen(first)) >= 0.9, 'we heard it');
  t.match(callOf(phone.status), { encryption: 'AES_CM_128_HMAC_SHA1_80' });
  await hangUp();
  await first.command(`call sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await phone.hook('offHook');
  await first.saw('StreamsRunning');
  t.ok((await listen(first)) >= 0.9, 'we heard it');
  t.match(callOf(phone.status), { encryption: 'AES_CM_128_HMAC_SHA1_80' });
  await hangUp();
  await phone.link.command('changeSettings', { set: { 'line.main.encryption': 'off' }, unset: [] });
  await first.command('media-encryption none');
});

t.test('RFC 8445 calls each way by ICE: a way is found, speech goes by it', async (t) => {
  const port = await freePorts(1);
  const turn = await startTurn(join(folder, 'turn'), '127.0.0.1', port);
  t.teardown(() => turn.stop());
  await phone.link.command('changeSettings', { set: { 'line.main.ice': 'true' }, unset: [] });
  // Linphone knows ICE only with a STUN server.
  await first.command(`firewall-policy ice 127.0.0.1:${port}`);
  await talkTo(first, '301');
  await phone.until('a way is found', (status) => callOf(status)?.way !== null);
  t.ok((await listen(first)) >= 0.9, 'we heard it');
  t.comment(`called: ${callOf(phone.status)?.way}`);
  await hangUp();
  await first.command(`call sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await phone.hook('offHook');
  await first.saw('StreamsRunning');
  await phone.until('a way is found', (status) => callOf(status)?.way !== null);
  t.ok((await listen(first)) >= 0.9, 'we heard it');
  t.comment(`calling: ${callOf(phone.status)?.way}`);
  await hangUp();
});

t.test('RFC 3311 §5.2, RFC 4028 §7.4 Linphone keeps the call alive by an UPDATE after half its time', async (t) => {
  const { endpoint, messages } = lasting;
  t.ok(await endpoint.waitUntil(() => messages.some((line) => /^sent 200 OK · \d+ UPDATE/.test(line)), 60_000), messages.join('\n'));
});

t.test(
  'RFC 3311 §5.1, RFC 4028 §10 our UPDATE asks whether Linphone is still there; the call ends when Linphone keeps it alive no longer',
  async (t) => {
    const record = lasting.agent.record(lasting.session);
    await lasting.endpoint.stop();
    const successor = await startAgent(lasting.endpoint.port);
    t.ok(record && successor.endpoint.drive((now) => successor.agent.adopt(now, record)));
    t.ok(await successor.endpoint.waitUntil(() => successor.messages.some((line) => /^received 200 .* UPDATE/.test(line)), 15_000));
    successor.pass(61_000);
    t.ok(await successor.endpoint.waitUntil(() => successor.events.some(({ type }) => type === 'ended'), 5_000));
    t.match(successor.events.at(-1), { type: 'ended', by: 'timeout' });
    await keeper.saw('Released');
  },
);

/** Our user agent alone, in this process, whose clock can be put forward. */
async function startAgent(port: number) {
  let ahead = 0;
  const clock: Clock = { now: () => nodeClock.now() + ahead, wallTime: nodeClock.wallTime };
  const resolver = new DnsResolver(clock);
  const endpoint = new SipEndpoint({ clock, logger: silentLogger, resolver, addresses: ['127.0.0.1'], port });
  const settings = { acceptDirectCalls: true, trace: true, sessionExpires: 90 };
  const agent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: endpoint, settings });
  const messages: string[] = [];
  const events: UserAgentEvent[] = [];
  await endpoint.start(agent, (event) => {
    if (event.type === 'message') messages.push(`${event.direction} ${event.summary}`);
    else events.push(event);
    if (event.type === 'reoffered') agent.answerReoffer(clock.now(), event.session, { body });
  });
  t.teardown(() => endpoint.stop());
  const aor = new SipUri({ user: 'agent', host: '127.0.0.1' });
  endpoint.drive((now) => agent.setAccount(now, { id: 'direct', aor, transport: 'udp', expires: 3_600 }));
  const pass = (milliseconds: number): void => {
    ahead += milliseconds;
    endpoint.drive((now) => agent.handleTimeout(now));
  };
  return { agent, endpoint, messages, events, pass };
}

/** The agent calls Linphone, and the call is left alone. */
async function startLastingCall() {
  const { agent, endpoint, messages, events } = await startAgent(await freePorts(1));
  const target = new SipUri({ user: '303', host: '127.0.0.1', port: keeperPort });
  const session = endpoint.drive((now) => agent.invite(now, { account: 'direct', target, body }));
  await keeper.command(`answer ${await keeper.saw('IncomingReceived')}`);
  await keeper.saw('StreamsRunning');
  return { agent, endpoint, messages, events, session };
}
