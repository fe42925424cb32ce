import t from 'tap';
import type { Request } from '#firmware/sip/message/message.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, directAgent, nameOf, offer, parsed, ScriptedPeer, sdp, textOf } from '#test/support/sip-agents.ts';

const seconds = 1_000;

/** Two agents, each with its settings. */
function scene(ofAlice: Partial<UserAgentSettings> = {}, ofBob: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice', ofAlice);
  const bob = directAgent(network, '192.0.2.2', 'bob', ofBob);
  const call = (): string => alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  const sent = (start: string) => network.packets.filter(({ text }) => text.startsWith(start));
  const starts = (): string[] =>
    network.packets.map(({ text }) => (text.startsWith('SIP') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))));
  return { network, alice, bob, call, sent, starts };
}

/** Alice calls a far end that the test plays, branch by branch. */
function forked(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice', settings);
  const peer = new ScriptedPeer(network, '192.0.2.9');
  const session = alice.userAgent.invite(network.now, {
    account: 'alice',
    target: alice.uri('x').with({ host: '192.0.2.9' }),
    body: offer,
  });
  network.run(50);
  const invite = peer.requests('INVITE')[0] as Request;
  const send = (start: string, lines: readonly string[], body: string): void => {
    const type = body === '' ? [] : ['Content-Type: application/sdp'];
    peer.host.sendText(alice.host, `${[start, ...lines, ...type, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`);
    network.run(20);
  };
  /** A response of the branch `tag` to `request`. */
  const respond = (
    request: Request,
    statusCode: number,
    tag: string,
    more: { rseq?: number | string; body?: string; lines?: string[] } = {},
  ) => {
    const to = request.to.tag === undefined ? request.to.withParam('tag', tag) : request.to;
    const lines = [`Via: ${request.header('Via')}`, `From: ${request.from}`, `To: ${to}`, `Call-ID: ${request.callId}`];
    lines.push(`CSeq: ${request.cSeq.number} ${request.method}`, `Contact: <sip:${tag}@192.0.2.9>`, ...(more.lines ?? []));
    if (more.rseq !== undefined) lines.push('Require: 100rel', `RSeq: ${more.rseq}`);
    send(`SIP/2.0 ${statusCode} Ok`, lines, more.body === undefined ? '' : textOf(sdp(more.body)));
  };
  /** A request of the branch `tag` within its dialog. */
  const request = (method: string, tag: string, number: number, body?: string, id = `${tag}${number}`): void => {
    const lines = [`Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${id}`, 'Max-Forwards: 70', `From: ${invite.to.withParam('tag', tag)}`];
    lines.push(`To: ${invite.from}`, `Call-ID: ${invite.callId}`, `CSeq: ${number} ${method}`, `Contact: <sip:${tag}@192.0.2.9>`);
    send(`${method} sip:alice@192.0.2.1 SIP/2.0`, lines, body === undefined ? '' : textOf(sdp(body)));
  };
  const acceptPracks = (): void => {
    peer.onRequest = (one) => one.method === 'PRACK' && respond(one, 200, one.to.tag ?? '');
  };
  return { network, alice, peer, session, invite, respond, request, acceptPracks };
}

t.test('RFC 3262 §3, §4 a 180 is acknowledged by PRACK; the dialog goes on with the next numbers', async (t) => {
  const { network, alice, bob, call, sent, starts } = scene();
  const atAlice = call();
  network.run(50);
  const { session } = bob.last('incoming');
  bob.userAgent.ring(network.now, session);
  network.run(5 * seconds);
  t.same(starts(), ['INVITE', '180', 'PRACK', '200']);
  const ringing = parsed(sent('SIP/2.0 180')[0]?.text ?? '');
  t.same(ringing.require, ['100rel']);
  t.equal(parsed(sent('PRACK')[0]?.text ?? '').header('RAck'), `${ringing.header('RSeq')} 1 INVITE`);
  bob.userAgent.accept(network.now, session, answer);
  network.run(100);
  t.equal(nameOf(alice.last('accepted').body), 'answer');
  t.equal(alice.all('progress').length, 1);
  t.equal(parsed(sent('ACK')[0]?.text ?? '').cSeq.number, 1, 'of the INVITE');
  alice.userAgent.end(network.now, atAlice);
  network.run(100);
  t.equal(parsed(sent('BYE')[0]?.text ?? '').cSeq.number, 3);
  t.equal(bob.last('ended').by, 'remote');
});

t.test('RFC 3262 §3 without a PRACK the response is sent again, ever slower, and the call refused after 64·T1', async (t) => {
  const { network, alice, bob, call, sent } = scene();
  network.intercept(({ text }) => (text.startsWith('PRACK') ? 'drop' : undefined));
  call();
  network.run(100);
  const begin = network.now;
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(31 * seconds);
  t.same(
    sent('SIP/2.0 180').map(({ sentAt }) => (sentAt - begin) / 1_000),
    [0, 0.5, 1.5, 3.5, 7.5, 15.5],
  );
  t.equal(alice.all('progress').length, 1, 'told once');
  network.run(2 * seconds);
  t.equal(alice.last('failed').statusCode, 504);
  t.same(bob.types(), ['incoming', 'cancelled']);
  network.run(60 * seconds);
  t.ok(alice.userAgent.idle && bob.userAgent.idle);
  t.same([alice.userAgent.deadline, bob.userAgent.deadline], [undefined, undefined]);
});

t.test('RFC 3262 §3 the next response waits for the PRACK of the one before; only the latest is sent', async (t) => {
  const { network, bob, call, sent } = scene();
  const restore = network.intercept(({ text }) => (text.startsWith('PRACK') ? 'drop' : undefined));
  call();
  network.run(50);
  const { session } = bob.last('incoming');
  for (const statusCode of [180, 181, 182]) bob.userAgent.ring(network.now, session, statusCode);
  network.run(100);
  t.equal(sent('SIP/2.0 181').length + sent('SIP/2.0 182').length, 0);
  restore();
  network.run(1 * seconds);
  t.same([sent('SIP/2.0 181').length, sent('SIP/2.0 182').length], [0, 1]);
  const [first, second] = [sent('SIP/2.0 180')[0], sent('SIP/2.0 182')[0]].map((packet) =>
    Number(parsed(packet?.text ?? '').header('RSeq')),
  );
  t.equal(second, (first ?? 0) + 1);
});

t.test('RFC 3262 §5 a 2xx waits for the PRACK of an answer, and has none of its own', async (t) => {
  const { network, alice, bob, call, sent } = scene();
  const restore = network.intercept(({ text }) => (text.startsWith('PRACK') ? 'drop' : undefined));
  call();
  network.run(50);
  const { session } = bob.last('incoming');
  bob.userAgent.ring(network.now, session, 183, sdp('early'));
  bob.userAgent.accept(network.now, session, answer);
  network.run(300);
  t.equal(sent('SIP/2.0 200').length, 0);
  restore();
  network.run(1 * seconds);
  t.equal(nameOf(alice.last('progress').body), 'early');
  t.equal(alice.last('accepted').body, undefined, 'it has been told');
  t.equal(bob.all('confirmed').length, 1);
});

t.test('RFC 3262 §5 a 2xx that waits is withdrawn with its call', async (t) => {
  for (const way of ['cancel', 'reject', 'silence'] as const) {
    const { network, alice, bob, call } = scene();
    network.intercept(({ text }) => (text.startsWith('PRACK') ? 'drop' : undefined));
    const atAlice = call();
    network.run(50);
    const { session } = bob.last('incoming');
    bob.userAgent.ring(network.now, session, 183, sdp('early'));
    bob.userAgent.accept(network.now, session, answer);
    network.run(100);
    if (way === 'cancel') alice.userAgent.end(network.now, atAlice);
    if (way === 'reject') bob.userAgent.end(network.now, session);
    network.run(40 * seconds);
    t.equal(alice.last('failed').statusCode, { cancel: 487, reject: 603, silence: 504 }[way]);
    t.equal(bob.all('cancelled').length, way === 'reject' ? 0 : 1);
    t.ok(bob.userAgent.idle);
  }
});

t.test('RFC 3262 §3 a 200 may overtake the PRACK of a 180, which is then still answered', async (t) => {
  const { network, bob, call, starts } = scene();
  network.intercept(({ text }) => (text.startsWith('PRACK') ? { delay: 200 } : undefined));
  call();
  network.run(50);
  const { session } = bob.last('incoming');
  bob.userAgent.ring(network.now, session);
  network.run(20);
  bob.userAgent.accept(network.now, session, answer);
  network.run(1 * seconds);
  t.same(starts(), ['INVITE', '180', 'PRACK', '200', 'ACK', '200']);
});

t.test('RFC 3262 §3 a PRACK for nothing of ours: 481; one with a body: 488, but it counts', async (t) => {
  const { network, alice, bob, call, sent } = scene();
  const restore = network.intercept(({ text }) => (text.startsWith('PRACK') ? 'drop' : undefined));
  call();
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(100);
  const prack = sent('PRACK')[0]?.text ?? '';
  restore();
  const answers = (change: (text: string) => string, number: number): string => {
    const changed = change(prack)
      .replace('2 PRACK', `${number} PRACK`)
      .replace(/branch=[^;\r]*/, `branch=z9hG4bKp${number}`);
    alice.host.sendText(bob.host, changed);
    network.run(5);
    return network.packets.findLast(({ text }) => text.startsWith('SIP') && text.includes(`: ${number} PRACK`))?.text.slice(8, 11) ?? '';
  };
  network.intercept(({ text }) => (text.startsWith('PRACK') && text.includes(': 2 PRACK') ? 'drop' : undefined));
  t.equal(
    answers((text) => text.replace(/RAck: \d+/, 'RAck: 7'), 11),
    '481',
  );
  t.equal(
    answers((text) => text.replace(/ 1 INVITE/, ' 2 INVITE'), 12),
    '481',
  );
  t.equal(
    answers((text) => text.replace(/ 1 INVITE/, ' 1 UPDATE'), 13),
    '481',
  );
  t.equal(
    answers((text) => text.replace(/RAck: [^\r]*/, 'RAck: a b c d e'), 14),
    '481',
  );
  t.equal(
    answers((text) => text.replace(/RAck: [^\r]*\r\n/, ''), 15),
    '481',
  );
  const body = textOf(sdp('more'));
  const withBody = (text: string): string =>
    text.replace(/Content-Length: 0\r\n\r\n/, `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  t.equal(answers(withBody, 16), '488');
  network.packets.length = 0;
  network.run(10 * seconds);
  t.equal(sent('SIP/2.0 180').length, 0, 'it is not sent again');
});

t.test('RFC 3262 §4 what arrives twice is told once, what overtakes is dropped and not acknowledged', async (t) => {
  const { alice, peer, invite, respond, acceptPracks } = forked();
  acceptPracks();
  respond(invite, 180, 'b', { rseq: 100 });
  respond(invite, 180, 'b', { rseq: 100 });
  respond(invite, 183, 'b', { rseq: 102 });
  t.same(
    alice.all('progress').map(({ statusCode }) => statusCode),
    [180],
  );
  respond(invite, 181, 'b', { rseq: 101 });
  respond(invite, 183, 'b', { rseq: 102 });
  respond(invite, 199, 'b', { rseq: 'x' });
  t.same(
    alice.all('progress').map(({ statusCode }) => statusCode),
    [180, 181, 183, 199],
    'without a number it is not reliable',
  );
  t.same(
    peer.requests('PRACK').map((prack) => prack.header('RAck')),
    ['100 1 INVITE', '101 1 INVITE', '102 1 INVITE'],
  );
  t.same(
    peer.requests('PRACK').map(({ cSeq }) => cSeq.number),
    [2, 3, 4],
  );
});

t.test('several branches: each has its own numbers; the 2xx of one without a description means what that branch said', async (t) => {
  const { network, alice, peer, session, invite, respond, acceptPracks } = forked();
  acceptPracks();
  respond(invite, 183, 'a', { rseq: 7, body: 'from a' });
  respond(invite, 183, 'b', { rseq: 7_000, body: 'from b' });
  t.same(
    alice.all('progress').map(({ body }) => nameOf(body)),
    ['from a', 'from b'],
  );
  respond(invite, 200, 'a');
  t.equal(nameOf(alice.last('accepted').body), 'from a');
  alice.userAgent.end(network.now, session);
  network.run(50);
  const bye = peer.requests('BYE')[0];
  t.same([bye?.to.tag, bye?.cSeq.number], ['a', 3]);
  t.match(bye?.requestUri.toString(), 'sip:a@192.0.2.9');
});

t.test('RFC 6337 §3.1.1 after a reliable answer another in the 2xx of that branch changes nothing', async (t) => {
  const { alice, invite, respond, acceptPracks } = forked();
  acceptPracks();
  respond(invite, 183, 'a', { rseq: 7, body: 'holds' });
  respond(invite, 180, 'a', { rseq: 8, body: 'late' });
  t.equal(alice.last('progress').body, undefined);
  respond(invite, 200, 'a', { body: 'too late' });
  t.equal(alice.last('accepted').body, undefined);
});

t.test('RFC 3311 §5.1 UPDATE before the call is accepted: after a reliable answer the far end may change its media', async (t) => {
  const { network, alice, peer, session, invite, respond, request, acceptPracks } = forked();
  acceptPracks();
  respond(invite, 183, 'a', { body: 'preview' });
  request('UPDATE', 'a', 1, 'hasty');
  t.same(peer.statuses(), [491], 'our offer has no answer yet');
  respond(invite, 183, 'a', { rseq: 7, body: 'announcement' });
  request('UPDATE', 'a', 2);
  t.equal(peer.statuses().at(-1), 200, 'without an offer it only moves the target');
  request('UPDATE', 'a', 3, 'voice mail');
  t.equal(nameOf(alice.last('reoffered').body), 'voice mail');
  request('UPDATE', 'a', 4, 'once more');
  t.equal(peer.statuses().at(-1), 500);
  t.match(peer.responses(500)[0]?.header('Retry-After'), /^\d+$/);
  alice.userAgent.answerReoffer(network.now, session, { body: sdp('agreed') });
  network.run(20);
  t.equal(peer.responses(200).at(-1)?.cSeq.number, 3);
  t.match(new TextDecoder().decode(peer.responses(200).at(-1)?.body), /s=agreed/);
  request('UPDATE', 'a', 3, 'old', 'again');
  t.equal(peer.statuses().at(-1), 500, 'a number that was used is out of order');
  request('UPDATE', 'a', 5, 'refused');
  alice.userAgent.answerReoffer(network.now, session, { statusCode: 488 });
  network.run(20);
  t.equal(peer.statuses().at(-1), 488);
  request('UPDATE', 'a', 6, 'overtaken');
  respond(invite, 200, 'a');
  t.equal(peer.responses(487)[0]?.cSeq.number, 6, 'the call is accepted before it has an answer');
  request('UPDATE', 'a', 7, 'in the call');
  t.equal(nameOf(alice.last('reoffered').body), 'in the call');
});

t.test('an UPDATE of a branch that is not heard is refused; INVITE, BYE and PRACK have no place there', async (t) => {
  const { alice, peer, invite, respond, request, acceptPracks } = forked();
  acceptPracks();
  respond(invite, 183, 'a', { rseq: 7, body: 'a' });
  respond(invite, 183, 'b', { rseq: 7, body: 'b' });
  request('UPDATE', 'a', 1, 'unheard');
  request('INVITE', 'a', 2, 'strange');
  request('BYE', 'a', 3);
  request('PRACK', 'a', 4);
  request('OPTIONS', 'a', 5);
  t.same(peer.statuses(), [488, 491, 481, 481, 200]);
  t.equal(alice.all('reoffered').length + alice.all('failed').length, 0);
});

t.test('required: our INVITE says so, and one without the extension gets 421', async (t) => {
  const { network, alice, call, sent } = scene({ reliableProvisional: 'required' }, { reliableProvisional: 'off' });
  call();
  network.run(100);
  t.same(parsed(sent('INVITE')[0]?.text ?? '').require, ['100rel']);
  t.equal(alice.last('failed').statusCode, 420);
  t.match(sent('SIP/2.0 420')[0]?.text, /Unsupported: 100rel/);
  const other = scene({ reliableProvisional: 'off' }, { reliableProvisional: 'required' });
  other.call();
  other.network.run(100);
  t.equal(other.alice.last('failed').statusCode, 421);
  t.match(other.sent('SIP/2.0 421')[0]?.text, /Require: 100rel/);
  t.notOk(other.sent('INVITE')[0]?.text.includes('100rel'), 'off: not even offered');
});

t.test('an INVITE without an offer rings unreliably, or not at all when its caller insists', async (t) => {
  for (const [headers, ringing] of [
    [[], 1],
    [[['Require', '100rel']], 0],
  ] as const) {
    const { network, alice, bob, sent } = scene({ reliableProvisional: 'required' });
    alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), headers });
    network.run(50);
    t.equal(/100rel/.test(sent('INVITE')[0]?.text ?? ''), ringing === 0, 'ours insists on nothing then');
    bob.userAgent.ring(network.now, bob.last('incoming').session);
    network.run(1 * seconds);
    t.equal(sent('SIP/2.0 180').length, ringing);
    t.equal(sent('PRACK').length, 0);
    bob.userAgent.accept(network.now, bob.last('incoming').session, sdp('late offer'));
    network.run(50);
    t.equal(nameOf(alice.last('accepted').body), 'late offer');
  }
});

for (const seed of [21, 22, 23, 24]) {
  t.test(`reliable ringing over 25 % loss, doubles and overtaking (seed ${seed})`, async (t) => {
    const network = new SimulatedNetwork({ seed, loss: 0.25, duplication: 0.25, reordering: 0.3, latency: { least: 5, most: 60 } });
    const alice = directAgent(network, '192.0.2.1', 'alice');
    const bob = directAgent(network, '192.0.2.2', 'bob');
    bob.onEvent = (event) => {
      if (event.type !== 'incoming') return;
      bob.userAgent.ring(network.now, event.session, 183, sdp('early'));
      bob.userAgent.accept(network.now, event.session, answer);
    };
    alice.onEvent = (event) => {
      if (event.type === 'accepted') alice.userAgent.end(network.now, event.session);
    };
    for (let calls = 0; calls < 10; calls++) {
      alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
      network.run(2 * seconds);
    }
    network.run(240 * seconds);
    const accepted = alice.all('accepted').length;
    t.equal(accepted + alice.all('failed').length, 10, 'each call has an outcome');
    t.ok(accepted >= 9, `${accepted} of 10 accepted`);
    t.equal(bob.all('ended').length + bob.all('cancelled').length, bob.all('incoming').length);
    t.ok(alice.userAgent.idle && bob.userAgent.idle);
    t.same([alice.userAgent.deadline, bob.userAgent.deadline], [undefined, undefined]);
  });
}
