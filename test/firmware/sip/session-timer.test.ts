import t from 'tap';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, directAgent, nameOf, offer, parsed, ScriptedPeer, sdp } from '#test/support/sip-agents.ts';

const seconds = 1_000;

/** Two agents in a call, each with its settings; alice called bob. */
function established(ofAlice: Partial<UserAgentSettings> = {}, ofBob: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice', ofAlice);
  const bob = directAgent(network, '192.0.2.2', 'bob', ofBob);
  const atAlice = alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  network.run(100);
  const atBob = bob.last('incoming').session;
  bob.userAgent.accept(network.now, atBob, answer);
  network.run(1 * seconds);
  return { network, alice, bob, atAlice, atBob, sent: (start: string) => network.packets.filter(({ text }) => text.startsWith(start)) };
}

/** The value of a header in the last packet that begins so. */
function said(network: SimulatedNetwork, start: string, name: string): string | undefined {
  return parsed(network.packets.findLast(({ text }) => text.startsWith(start))?.text ?? '').header(name);
}

/** A peer without session timers of its own, which alice calls; answers with what the test says. */
function plainPeer(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice', settings);
  const peer = new ScriptedPeer(network, '192.0.2.9');
  const respond = (lines: Readonly<Record<string, readonly string[]>>): void => {
    peer.onRequest = (request, flow) => {
      const [start = 'SIP/2.0 200 OK', ...more] = lines[request.method] ?? [];
      if (request.method === 'ACK') return;
      const to = request.to.tag === undefined ? request.to.withParam('tag', 'peer') : request.to;
      const head = [start, `Via: ${request.header('Via')}`, `From: ${request.from}`, `To: ${to}`, `Call-ID: ${request.callId}`];
      head.push(`CSeq: ${request.cSeq.number} ${request.method}`, 'Contact: <sip:peer@192.0.2.9>', ...more, 'Content-Length: 0');
      peer.host.sendText(flow.remote, `${head.join('\r\n')}\r\n\r\n`);
    };
  };
  const call = (): string =>
    alice.userAgent.invite(network.now, { account: 'alice', target: peer.host && alice.uri('x').with({ host: '192.0.2.9' }), body: offer });
  return { network, alice, peer, respond, call };
}

t.test('RFC 4028 §7.1 the caller asks, the callee grants and the caller refreshes with UPDATE at half the interval', async (t) => {
  const { network, alice, bob, sent } = established({ sessionExpires: 200 });
  t.equal(said(network, 'INVITE', 'Session-Expires'), '200');
  t.match(said(network, 'INVITE', 'Supported'), /\btimer\b/);
  t.equal(said(network, 'SIP/2.0 200', 'Session-Expires'), '200;refresher=uac');
  t.match(said(network, 'SIP/2.0 200', 'Require'), 'timer');
  network.packets.length = 0;
  network.run(98 * seconds);
  t.equal(network.packets.length, 0);
  network.run(2 * seconds);
  t.equal(sent('UPDATE').length, 1, 'after 100 s');
  t.equal(said(network, 'UPDATE', 'Session-Expires'), '200;refresher=uac');
  t.equal(said(network, 'SIP/2.0 200', 'Session-Expires'), '200;refresher=uac');
  network.run(1_000 * seconds);
  t.equal(sent('UPDATE').length, 11, 'and every 100 s from then on');
  t.same([alice.all('ended').length, bob.all('ended').length], [0, 0]);
  t.same([alice.all('reofferAnswered').length, bob.all('reoffered').length], [0, 0], 'nobody is troubled with it');
});

t.test(
  'RFC 4028 §10 who waits for a refresh that does not come ends the call a third of the interval, at most 32 s, before its end',
  async (t) => {
    const { network, alice, bob } = established({ sessionExpires: 200 });
    alice.host.detach();
    network.run(166 * seconds);
    t.equal(bob.all('ended').length, 0);
    network.run(2 * seconds);
    t.match(bob.last('ended'), { by: 'timeout', reason: /no longer refreshes/ });
    t.match(said(network, 'BYE', 'Reason'), /cause=408.*session expired/);
    network.run(40 * seconds);
    t.ok(bob.userAgent.idle);
  },
);

t.test('RFC 4028 §10 who refreshes notices a far end that has vanished when nobody answers', async (t) => {
  const { network, alice, bob } = established({ sessionExpires: 200 });
  bob.host.detach();
  network.run(133 * seconds);
  t.match(alice.last('ended'), { by: 'timeout', reason: 'no answer to a session refresh' });
  network.run(40 * seconds);
  t.ok(alice.userAgent.idle);
  t.equal(alice.userAgent.deadline, undefined, 'no timer is left');
});

t.test('RFC 4028 §7.4 422: the caller asks again for the longer interval, under the same Call-ID', async (t) => {
  const { network, sent } = established({ sessionExpires: 120 }, { minimumSessionExpires: 600 });
  const invites = sent('INVITE').map(({ text }) => parsed(text));
  t.equal(said(network, 'SIP/2.0 422', 'Min-SE'), '600');
  t.same(
    invites.map((invite) => [invite.header('Session-Expires'), invite.header('Min-SE'), invite.cSeq.number]),
    [
      ['120', undefined, 1],
      ['600', '600', 2],
    ],
  );
  t.equal(invites[0]?.callId, invites[1]?.callId);
  t.equal(said(network, 'SIP/2.0 200', 'Session-Expires'), '600;refresher=uac');
});

t.test('RFC 4028 §7.4 a 422 without Min-SE, with one beyond all bounds, or again and again is a refusal like others', async (t) => {
  for (const [lines, tries] of [
    [[], 1],
    [['Min-SE: 4294967295'], 1],
    [['Min-SE: nonsense'], 1],
    [['Min-SE: 9000'], 5],
  ] as const) {
    const { network, alice, peer, respond, call } = plainPeer({ sessionExpires: 120 });
    respond({ INVITE: ['SIP/2.0 422 Session Interval Too Small', ...lines] });
    call();
    network.run(2 * seconds);
    t.match(alice.last('failed'), { statusCode: 422 });
    t.equal(peer.requests('INVITE').length, tries);
  }
});

t.test('RFC 4028 §9 a callee that wants a timer gets one from a caller that knows the extension but does not ask', async (t) => {
  const { network, alice, sent } = established({ sessionExpires: 0 }, { sessionExpires: 300 });
  t.equal(said(network, 'INVITE', 'Session-Expires'), undefined);
  t.equal(said(network, 'SIP/2.0 200', 'Session-Expires'), '300;refresher=uas', 'who wants it does it');
  network.run(151 * seconds);
  t.equal(sent('UPDATE').length, 1);
  t.equal(said(network, 'UPDATE', 'Session-Expires'), '300;refresher=uac', 'roles are those of the request');
  t.equal(alice.all('ended').length, 0);
});

t.test('neither side wants it: no timer, and the call lives on', async (t) => {
  const { network, alice, bob, sent } = established({ sessionExpires: 0 }, { sessionExpires: 0 });
  bob.host.detach();
  network.run(20_000 * seconds);
  t.equal(sent('UPDATE').length + alice.all('ended').length, 0);
});

t.test('RFC 4028 §7.2 a 2xx without Session-Expires means no timer', async (t) => {
  const { network, alice, peer, respond, call } = plainPeer();
  respond({});
  call();
  network.run(5_000 * seconds);
  t.equal(peer.requests('INVITE').length + peer.requests('UPDATE').length, 1);
  t.equal(alice.all('ended').length, 0);
});

t.test('RFC 4028 §7.4 a far end without UPDATE is refreshed by re-INVITE with the description it knows', async (t) => {
  const { network, alice, peer, respond, call } = plainPeer({ sessionExpires: 200 });
  respond({ INVITE: ['SIP/2.0 200 OK', 'Allow: INVITE, ACK, BYE', 'Session-Expires: 200;refresher=uac'] });
  call();
  network.run(101 * seconds);
  const [first, second] = peer.requests('INVITE');
  t.equal(new TextDecoder().decode(second?.body), new TextDecoder().decode(first?.body));
  t.equal(second?.header('Session-Expires'), '200;refresher=uac');
  t.equal(peer.requests('ACK').length, 2);
  t.equal(alice.all('reofferAnswered').length, 0);
  network.run(100 * seconds);
  t.equal(peer.requests('INVITE').length, 3);
});

t.test('a refresh that is refused is tried again until the call expires', async (t) => {
  const { network, alice, peer, respond, call } = plainPeer({ sessionExpires: 200 });
  respond({
    INVITE: ['SIP/2.0 200 OK', 'Allow: INVITE, ACK, BYE, UPDATE', 'Session-Expires: 200;refresher=uac'],
    UPDATE: ['SIP/2.0 500 Not Now'],
  });
  call();
  network.run(167 * seconds);
  t.equal(peer.requests('UPDATE').length, 4, 'at 100, 120, 140 and 160 s');
  network.run(2 * seconds);
  t.match(alice.last('ended'), { by: 'timeout' });
  t.equal(peer.requests('BYE').length, 1);
});

t.test('RFC 4028 §7.4 405 to UPDATE: the next refresh is a re-INVITE; 481 ends the call at once', async (t) => {
  const { network, alice, peer, respond, call } = plainPeer({ sessionExpires: 200 });
  const accepts = ['SIP/2.0 200 OK', 'Allow: INVITE, ACK, BYE, UPDATE', 'Session-Expires: 200;refresher=uac'];
  respond({ INVITE: accepts, UPDATE: ['SIP/2.0 405 Not Here'] });
  call();
  network.run(122 * seconds);
  t.equal(peer.requests('INVITE').length, 2);
  respond({ INVITE: ['SIP/2.0 481 Who Are You'] });
  network.run(101 * seconds);
  t.match(alice.last('ended'), { by: 'timeout', reason: /481/ });
});

t.test(
  '§9 a proxy asks for a caller that does not know the extension: the callee refreshes; too little is no timer, not 422',
  async (t) => {
    for (const [asked, granted] of [
      ['1800', '1800;refresher=uas'],
      ['1800;refresher=uac', '1800;refresher=uas'],
      ['30', undefined],
      ['garbage', undefined],
    ] as const) {
      const network = new SimulatedNetwork();
      const bob = directAgent(network, '192.0.2.2', 'bob');
      const peer = new ScriptedPeer(network, '192.0.2.9');
      const lines = ['INVITE sip:bob@192.0.2.2 SIP/2.0', 'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1', 'Max-Forwards: 70'];
      lines.push('From: <sip:peer@192.0.2.9>;tag=p', 'To: <sip:bob@192.0.2.2>', 'Call-ID: old', 'CSeq: 1 INVITE');
      lines.push('Contact: <sip:peer@192.0.2.9>', `Session-Expires: ${asked}`, 'Content-Length: 0');
      peer.host.sendText(bob.host, `${lines.join('\r\n')}\r\n\r\n`);
      network.run(50);
      bob.userAgent.accept(network.now, bob.last('incoming').session, sdp('late'));
      network.run(50);
      t.equal(peer.responses(200)[0]?.header('Session-Expires'), granted, asked);
      t.equal(peer.responses(200)[0]?.header('Require'), undefined);
    }
  },
);

t.test('RFC 4028 §7.4 a hold refreshes the call as well, and keeps the roles', async (t) => {
  const { network, alice, bob, atAlice, atBob, sent } = established({ sessionExpires: 200 });
  for (const agent of [alice, bob]) {
    agent.onEvent = (event) => {
      if (event.type === 'reoffered') agent.userAgent.answerReoffer(agent.now, event.session, { body: sdp('agreed') });
    };
  }
  network.run(90 * seconds);
  alice.userAgent.reoffer(network.now, atAlice, sdp('hold'));
  network.run(50 * seconds);
  t.equal(said(network, 'INVITE', 'Session-Expires'), '200;refresher=uac');
  t.equal(sent('UPDATE').length, 0, 'the interval began anew');
  bob.userAgent.reoffer(network.now, atBob, sdp('hold too'));
  network.run(1 * seconds);
  t.equal(said(network, 'INVITE', 'Session-Expires'), '200;refresher=uas', 'from the other side alice is the UAS');
  t.equal(said(network, 'SIP/2.0 200', 'Session-Expires'), '200;refresher=uas');
  t.equal(nameOf(alice.last('reoffered').body), 'hold too');
  network.run(100 * seconds);
  t.equal(sent('UPDATE').length, 1);
  t.equal(sent('UPDATE')[0]?.from, '192.0.2.1:5060');
});

t.test('a request within the call that asks for too little gets 422', async (t) => {
  const { network, bob, alice } = established({ sessionExpires: 200 });
  network.run(100 * seconds);
  const update = network.packets.findLast(({ text }) => text.startsWith('UPDATE'))?.text ?? '';
  const hasty = update.replace(/Session-Expires: [^\r]*/, 'Session-Expires: 10').replace(/branch=[^;\r]*/, 'branch=z9hG4bKh');
  alice.host.sendText(
    bob.host,
    hasty.replace(/CSeq: (\d+)/, (_, number) => `CSeq: ${Number(number) + 1}`),
  );
  network.run(100);
  t.equal(said(network, 'SIP/2.0 422', 'Min-SE'), '90');
  t.equal(bob.all('ended').length, 0);
});
