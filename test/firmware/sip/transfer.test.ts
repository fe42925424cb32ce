import t from 'tap';
import { digestResponse } from '#firmware/sip/digest.ts';
import { buildResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Response } from '#firmware/sip/message/message.ts';
import { decodeText } from '#firmware/sip/message/text.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, answer, directAgent, offer, parsed, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

const seconds = 1_000;

/** Alice called bob; carol stands by. */
function scene(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice', settings);
  const bob = directAgent(network, '192.0.2.2', 'bob', settings);
  const carol = directAgent(network, '192.0.2.3', 'carol', settings);
  const call = (from: TestAgent, to: TestAgent, user: string) => {
    const there = from.userAgent.invite(network.now, {
      account: from.userAgent === alice.userAgent ? 'alice' : 'bob',
      target: to.uri(user),
      body: offer,
    });
    network.run(100);
    const here = to.last('incoming').session;
    to.userAgent.accept(network.now, here, answer);
    network.run(1 * seconds);
    return [there, here] as const;
  };
  const [atAlice, atBob] = call(alice, bob, 'bob');
  network.packets.length = 0;
  /** Requests and final responses on the wire, such as `REFER` and `202`. */
  const starts = (): string[] =>
    network.packets.map(({ text }) => (text.startsWith('SIP') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))));
  const textOfLast = (start: string): string => network.packets.filter(({ text }) => text.startsWith(start)).at(-1)?.text ?? '';
  return { network, alice, bob, carol, atAlice, atBob, call, starts, textOfLast };
}

const somewhere = new SipUri({ user: 'carol', host: '192.0.2.3' });

function dialogsOf(agent: TestAgent): number {
  return (agent.userAgent.describe() as { dialogs: number }).dialogs;
}

t.test(
  'RFC 3515 §2.4 a REFER is accepted with 202; every step of the new call comes back as a sipfrag, the last one ends it',
  async (t) => {
    const { network, alice, bob, atAlice, atBob, starts, textOfLast } = scene();
    t.ok(alice.userAgent.refer(network.now, atAlice, somewhere));
    t.notOk(alice.userAgent.refer(network.now, atAlice, somewhere), 'one at a time');
    network.run(100);
    t.match(bob.last('referred'), { session: atBob, referredBy: '<sip:alice@192.0.2.1>' }, 'RFC 3892 §2.1');
    t.equal(bob.last('referred').target.toString(), 'sip:carol@192.0.2.3');
    bob.userAgent.acceptRefer(network.now, atBob);
    network.run(100);
    t.same(starts(), ['REFER', '202', 'NOTIFY', '200']);
    t.match(
      textOfLast('NOTIFY'),
      /\r\nEvent: refer;id=2\r\nSubscription-State: active;expires=180\r\n[\s\S]*\r\nContent-Type: message\/sipfrag;version=2\.0\r\n[\s\S]*SIP\/2\.0 100 Trying\r\n$/,
    );
    bob.userAgent.tellReferred(network.now, atBob, 180);
    network.run(100);
    t.match(alice.last('referProgress'), { stage: 'progress', statusCode: 180, reasonPhrase: 'Ringing' });
    bob.userAgent.tellReferred(network.now, atBob, 200);
    network.run(100);
    t.match(textOfLast('NOTIFY'), /\r\nSubscription-State: terminated;reason=noresource\r\n[\s\S]*SIP\/2\.0 200 OK\r\n$/);
    t.match(withoutAccepted(alice), ['progress', 'progress', 'concluded']);
    t.equal(alice.last('referProgress').statusCode, 200);
    t.ok(alice.userAgent.refer(network.now, atAlice, somewhere), 'and another one after it');
  },
);

t.test('RFC 3515 §2.4.2 a refused REFER leaves the call as it was', async (t) => {
  const { network, alice, bob, atAlice, atBob } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.rejectRefer(network.now, atBob, 603);
  network.run(100);
  t.match(alice.all('referProgress'), [{ stage: 'concluded', statusCode: 603, reasonPhrase: 'Decline' }]);
  t.same([alice.all('ended').length, bob.all('ended').length], [0, 0]);
});

t.test('RFC 5057 §4.1 the subscription outlives the call that the transferor has hung up, then the dialog is gone', async (t) => {
  const { network, alice, bob, atAlice, atBob } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(50);
  alice.userAgent.end(network.now, atAlice);
  network.run(50);
  t.equal(bob.last('ended').by, 'remote');
  t.same([dialogsOf(alice), dialogsOf(bob)], [1, 1]);
  bob.userAgent.tellReferred(network.now, atBob, 486);
  network.run(100);
  t.match(alice.last('referProgress'), { stage: 'concluded', statusCode: 486, reasonPhrase: 'Busy Here' });
  t.same([dialogsOf(alice), dialogsOf(bob)], [0, 0]);
  bob.userAgent.tellReferred(network.now, atBob, 200);
  network.run(100);
  t.equal(alice.last('referProgress').statusCode, 486, 'nobody is left to be told');
});

t.test('RFC 6665 §4.1.2.4 a far end that accepts and never notifies is given up after 64·T1', async (t) => {
  const { network, alice, bob, atAlice, atBob } = scene();
  network.intercept(({ text }) => (text.startsWith('NOTIFY') ? 'drop' : undefined));
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(31 * seconds);
  t.equal(alice.last('referProgress').stage, 'accepted');
  network.run(2 * seconds);
  t.equal(alice.last('referProgress').stage, 'unknown');
  t.equal(alice.all('ended').length, 0, 'the call goes on');
});

t.test('RFC 6665 §4.2.2 nobody is told any more once a NOTIFY stays unanswered or is refused', async (t) => {
  const { network, alice, bob, atAlice, atBob, starts } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  alice.host.detach();
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(40 * seconds);
  const sent = starts().filter((start) => start === 'NOTIFY').length;
  bob.userAgent.tellReferred(network.now, atBob, 200);
  network.run(40 * seconds);
  t.equal(starts().filter((start) => start === 'NOTIFY').length, sent);
});

t.test('RFC 6665 §4.2.2, RFC 5057 §5.1 a NOTIFY refused with 491 is that NOTIFY’s fate alone: what comes after it is told', async (t) => {
  const { network, alice, bob, atAlice, atBob, starts } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(50);
  const restore = network.intercept(({ text, bytes }) => {
    if (/^SIP\/2\.0 200 [\s\S]*\r\nCSeq: \d+ NOTIFY\r\n/.test(text)) bytes.set(new TextEncoder().encode('491'), 8);
    return undefined;
  });
  bob.userAgent.tellReferred(network.now, atBob, 180);
  network.run(100);
  restore();
  bob.userAgent.tellReferred(network.now, atBob, 200);
  network.run(100);
  t.equal(starts().filter((start) => start === 'NOTIFY').length, 5, 'tried three times');
  t.match(alice.last('referProgress'), { stage: 'concluded', statusCode: 200 });
});

t.test('RFC 6665 §4.2.2 what changes while a NOTIFY is unanswered goes out afterwards, once, as it is then', async (t) => {
  const { network, alice, bob, atAlice, atBob, textOfLast, starts } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  const restore = network.intercept(({ text }) => (text.startsWith('NOTIFY') ? 'drop' : undefined));
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(10);
  bob.userAgent.tellReferred(network.now, atBob, 180);
  bob.userAgent.tellReferred(network.now, atBob, 200);
  network.run(10);
  t.equal(starts().filter((start) => start === 'NOTIFY').length, 1);
  restore();
  network.run(2 * seconds);
  t.match(textOfLast('NOTIFY'), /terminated;reason=noresource[\s\S]*200 OK/);
  t.match(alice.last('referProgress'), { stage: 'concluded', statusCode: 200 });
});

t.test('RFC 6665 §4.2.1.4 a referrer ends or refreshes the subscription by SUBSCRIBE; one that is left alone expires', async (t) => {
  const { network, alice, bob, atAlice, atBob, textOfLast } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(50);
  const refer = textOfLast('REFER');
  const subscribe = (number: number, expires: number, event = 'refer;id=2') =>
    alice.host.sendText(
      bob.host,
      refer
        .replace('REFER ', 'SUBSCRIBE ')
        .replace('2 REFER', `${number} SUBSCRIBE`)
        .replace(/branch=[^;\r]*/, `branch=z9hG4bKs${number}`)
        .replace(/Refer-To:.*\r\nReferred-By:.*\r\n/, `Event: ${event}\r\nExpires: ${expires}\r\n`),
    );
  subscribe(3, 300);
  network.run(50);
  t.match(textOfLast('SIP/2.0 200'), /CSeq: \d+ NOTIFY/);
  t.match(textOfLast('NOTIFY'), /active;expires=300/);
  subscribe(4, 300, 'refer;id=77');
  network.run(50);
  t.match(textOfLast('SIP/2.0 481'), /CSeq: 4 SUBSCRIBE/, 'no such subscription');
  subscribe(5, 300, 'dialog');
  network.run(50);
  t.match(textOfLast('SIP/2.0 489'), /\r\nAllow-Events: message-summary, refer\r\n/);
  network.run(301 * seconds);
  t.match(textOfLast('NOTIFY'), /terminated;reason=timeout[\s\S]*100 Trying/);
  t.equal(alice.last('referProgress').stage, 'unknown', 'an end without a final status says nothing');
});

t.test('RFC 4488 §4 a REFER with Refer-Sub: false makes no subscription', async (t) => {
  const { network, alice, bob, atAlice, atBob, textOfLast, starts } = scene();
  network.intercept(({ text, to }) => {
    if (!text.startsWith('REFER') || text.includes('Refer-Sub')) return undefined;
    alice.host.sendText(bob.host, text.replace('Referred-By:', 'Refer-Sub: false\r\nReferred-By:'));
    return to ? 'drop' : undefined;
  });
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  bob.userAgent.tellReferred(network.now, atBob, 200);
  network.run(1 * seconds);
  t.match(textOfLast('SIP/2.0 202'), /\r\nRefer-Sub: false\r\n/);
  t.notOk(starts().includes('NOTIFY'));
  t.equal(alice.last('referProgress').stage, 'unknown', 'how it goes will not be told');
});

t.test(
  'RFC 4488 §4 how a transfer goes is not told to whoever does not want to know; who knows no Refer-Sub tells it all the same',
  async (t) => {
    const { network, alice, bob, atAlice, atBob, textOfLast, starts } = scene();
    alice.userAgent.refer(network.now, atAlice, somewhere, false);
    network.run(50);
    t.match(textOfLast('REFER'), /\r\nRefer-Sub: false\r\n/);
    bob.userAgent.acceptRefer(network.now, atBob);
    bob.userAgent.tellReferred(network.now, atBob, 200);
    network.run(1 * seconds);
    t.notOk(starts().includes('NOTIFY'));
    t.match(alice.all('referProgress'), [{ stage: 'concluded', statusCode: 202 }]);
    network.intercept(({ text }) => {
      if (!text.startsWith('REFER') || !text.includes('Refer-Sub')) return undefined;
      alice.host.sendText(bob.host, text.replace('Refer-Sub: false\r\n', ''));
      return 'drop';
    });
    alice.userAgent.refer(network.now, atAlice, somewhere, false);
    network.run(50);
    bob.userAgent.acceptRefer(network.now, atBob);
    network.run(50);
    bob.userAgent.tellReferred(network.now, atBob, 486);
    network.run(100);
    t.match(alice.last('referProgress'), { stage: 'concluded', statusCode: 486 });
  },
);

/** Bob's server sends him REFERs outside any call. */
function clicks(acceptRefer?: 'server' | 'authenticated') {
  const network = new SimulatedNetwork();
  const server = new ScriptedPeer(network, '192.0.2.9');
  const bob = new TestAgent(network, '192.0.2.2', { maximumSessions: 2 });
  const account = accountAt(server.host, 'bob', { acceptRefer });
  bob.userAgent.setAccount(network.now, { ...account, registrar: undefined, outboundProxy: account.registrar });
  server.onRequest = (request) => server.host.sendText(bob.host, decodeText(serializeMessage(buildResponse(request, 200))));
  let count = 0;
  const refer = (changes: Readonly<Record<string, string | undefined>> = {}): Response | undefined => {
    count++;
    const headers = {
      Via: `SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKclick${count}`,
      'Max-Forwards': '70',
      From: '<sip:page@example.org>;tag=p',
      To: '<sip:bob@example.org>',
      'Call-ID': `click${count}`,
      CSeq: `${count} REFER`,
      Contact: '<sip:page@192.0.2.9>',
      'Refer-To': '<sip:carol@example.org>',
      'Content-Length': '0',
      ...changes,
    };
    const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
    server.host.sendText(bob.host, `REFER sip:bob@192.0.2.2 SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n`);
    network.run(100);
    return server.messages
      .filter((message): message is Response => message.kind === 'response' && message.callId === `click${count}`)
      .at(-1);
  };
  return { network, server, bob, refer };
}

t.test('RFC 3515 §2.4.2 a REFER outside any call: the server of the account may have us call, where the account says so', async (t) => {
  const nobody = clicks();
  t.equal(nobody.refer()?.statusCode, 403);
  const { network, server, bob, refer } = clicks('server');
  bob.onEvent = (event) => {
    if (event.type === 'referred') bob.userAgent.acceptRefer(network.now, event.session);
  };
  t.equal(refer({ Contact: undefined })?.statusCode, 400);
  t.equal(refer({ 'Refer-To': undefined })?.statusCode, 400);
  t.equal(dialogsOf(bob), 0, 'what is refused leaves nothing');
  t.equal(refer()?.statusCode, 202);
  t.match(bob.last('referred'), { account: 'bob' });
  t.match(server.requests('NOTIFY').at(-1)?.header('Subscription-State'), /^active/);
  bob.userAgent.tellReferred(network.now, bob.last('referred').session, 200);
  network.run(100);
  t.match(server.requests('NOTIFY').at(-1)?.header('Subscription-State'), /^terminated/);
  t.equal(dialogsOf(bob), 0);
  const quiet = refer({ 'Refer-Sub': 'false' });
  t.equal(quiet?.statusCode, 202);
  t.equal(quiet?.header('Refer-Sub'), 'false');
  t.equal(dialogsOf(bob), 0, 'RFC 4488 §4 nobody is told');
  const told = server.requests('NOTIFY').length;
  t.same(
    [refer(), refer(), refer()].map((response) => response?.statusCode),
    [202, 202, 503],
    'as many at once as calls',
  );
  t.equal(server.requests('NOTIFY').length, told + 2);
  const stranger = network.host('192.0.2.66');
  stranger.listen(() => undefined);
  network.packets.length = 0;
  stranger.sendText(
    bob.host,
    `REFER sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: x\r\nCSeq: 1 REFER\r\nContact: <sip:x@192.0.2.66>\r\nRefer-To: <sip:carol@x>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
  );
  network.run(50);
  t.match(network.packets.at(-1)?.text, /^SIP\/2\.0 403 /);
});

t.test('RFC 3515 §2.4.2 authenticated: whoever sends a REFER has to know the password of the account', async (t) => {
  const { network, bob, refer } = clicks('authenticated');
  const challenged = refer();
  t.equal(challenged?.statusCode, 401);
  t.equal(bob.all('referred').length, 0);
  const nonce = /nonce="([^"]+)"/.exec(challenged?.header('WWW-Authenticate') ?? '')?.[1] ?? '';
  const [uri, clientNonce, nonceCount] = ['sip:bob@192.0.2.2', 'c', '00000001'];
  const answer = (password: string) => {
    const qop = { quality: 'auth', nonceCount, clientNonce } as const;
    const response = digestResponse({
      algorithm: 'SHA-256',
      username: 'bob',
      password,
      realm: 'example.org',
      method: 'REFER',
      uri,
      nonce,
      qop,
    });
    return `Digest username="bob", realm="example.org", nonce="${nonce}", uri="${uri}", algorithm=SHA-256, qop=auth, nc=${nonceCount}, cnonce="${clientNonce}", response="${response}"`;
  };
  refer({ Authorization: answer('bob-password') });
  t.equal(bob.all('referred').length, 1);
  bob.userAgent.rejectRefer(network.now, bob.last('referred').session, 486);
  network.run(50);
  t.equal(dialogsOf(bob), 0);
  t.equal(refer({ Authorization: answer('bob-password') })?.statusCode, 401, 'each nonce once');
});

t.test('bad inputs: what no REFER, NOTIFY or SUBSCRIBE may look like', async (t) => {
  const { network, alice, bob, atAlice, atBob, textOfLast } = scene();
  alice.userAgent.refer(network.now, atAlice, somewhere);
  network.run(50);
  bob.userAgent.acceptRefer(network.now, atBob);
  network.run(50);
  const [refer, notify] = [textOfLast('REFER'), textOfLast('NOTIFY')];
  let number = 10;
  const answerTo = (from: TestAgent, to: TestAgent, template: string, change: (text: string) => string): string => {
    number++;
    const text = change(template.replace(/CSeq: \d+/, `CSeq: ${number}`).replace(/branch=[^;\r]*/, `branch=z9hG4bKbad${number}`));
    from.host.sendText(to.host, text.replace(/Content-Length: \d+/, `Content-Length: ${text.length - text.indexOf('\r\n\r\n') - 4}`));
    network.run(100);
    return (
      network.packets.filter((packet) => packet.text.includes(`bad${number}`) && packet.text.startsWith('SIP')).at(-1)?.text ?? 'silence'
    );
  };
  const toBob = (change: (text: string) => string) => answerTo(alice, bob, refer, change).slice(8, 11);
  t.equal(
    toBob((text) => text.replace(/Refer-To:.*\r\n/, '')),
    '400',
    'no Refer-To',
  );
  t.equal(
    toBob((text) => text.replace(/(Refer-To:.*\r\n)/, '$1$1')),
    '400',
    'two of them',
  );
  t.equal(
    toBob((text) => text.replace(/Refer-To:.*\r\n/, 'Refer-To: <<>>\r\n')),
    '400',
    'one that is none',
  );
  t.equal(
    toBob((text) => text),
    '491',
    'a second one while the first is under way',
  );
  t.equal(
    toBob((text) => text.replace(/;tag=\w+(\r\nCall-ID)/, ';tag=other$1')),
    '481',
    'in no dialog of ours',
  );
  t.equal(
    toBob((text) => text.replace(/(To:[^\r]*?);tag=\w+/, '$1').replace(/Call-ID: .*/, 'Call-ID: fresh')),
    '403',
    'in no dialog at all',
  );
  const toAlice = (change: (text: string) => string) => answerTo(bob, alice, notify, change).slice(8, 11);
  t.equal(
    toAlice((text) => text.replace(/Subscription-State:.*\r\n/, '')),
    '400',
  );
  t.equal(
    toAlice((text) => text.replace('message/sipfrag;version=2.0', 'text/plain')),
    '415',
  );
  t.equal(
    toAlice((text) => text.replace('SIP/2.0 100 Trying', 'SIP/2.0 1e2 Trying')),
    '415',
  );
  t.equal(
    toAlice((text) => text.replace('SIP/2.0 100 Trying', `SIP/2.0 ${'9'.repeat(5_000)}`)),
    '415',
  );
  t.equal(
    toAlice((text) => text.replace('refer;id=2', 'refer;id=3')),
    '481',
  );
  t.equal(
    toAlice((text) => text.replace('refer;id=2', 'presence')),
    '489',
  );
  t.equal(
    toAlice((text) => text.replace('expires=180', 'expires=nonsense')),
    '200',
    'its time does not count then',
  );
  t.equal(
    toAlice((text) => text.replace('SIP/2.0 100 Trying', 'SIP/2.0 200 OK')),
    '200',
  );
  t.match(alice.last('referProgress'), { stage: 'concluded', statusCode: 200 }, 'a final status counts, whatever the subscription says');
  t.equal(
    toAlice((text) => text),
    '200',
    'and later ones are taken',
  );
  t.equal(alice.last('referProgress').statusCode, 200);
});

t.test('RFC 3891 §3 an INVITE with Replaces names the call whose place it takes', async (t) => {
  const { network, alice, bob, carol, atAlice, atBob } = scene();
  const address = alice.userAgent.addressWithReplaces(atAlice);
  t.match(address?.toString(), /^sip:[a-z2-7]{12}@192\.0\.2\.2:5060\?Replaces=[a-z2-7]+%3Bto-tag%3D[a-z2-7]+%3Bfrom-tag%3D[a-z2-7]+$/);
  const replaces = address?.kind === 'sip' ? (address.headers[0]?.[1] ?? '') : '';
  const invite = (value: string) => {
    carol.userAgent.invite(network.now, {
      account: 'carol',
      target: bob.uri('bob'),
      body: offer,
      headers: [
        ['Require', 'replaces'],
        ['Replaces', value],
      ],
    });
    network.run(100);
  };
  invite(replaces);
  t.equal(bob.last('incoming').replaces, atBob);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  bob.userAgent.end(network.now, atBob);
  network.run(100);
  t.equal(carol.all('accepted').length, 1);
  t.match(alice.last('ended'), { session: atAlice, by: 'remote' });
  t.equal(alice.userAgent.addressWithReplaces(atAlice), undefined, 'a call that is over can not be replaced');
  invite(replaces);
  t.equal(carol.last('failed').statusCode, 481, 'nor twice');
});

t.test('RFC 3891 §3 what can not be replaced: 400, 481, 486', async (t) => {
  const { network, alice, bob, carol, atAlice } = scene();
  const address = alice.userAgent.addressWithReplaces(atAlice);
  const replaces = address?.kind === 'sip' ? (address.headers[0]?.[1] ?? '') : '';
  const outcome = (...values: string[]): number => {
    const headers = values.map((value) => ['Replaces', value] as const);
    carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer, headers });
    network.run(100);
    return carol.last('failed').statusCode;
  };
  t.equal(outcome('unknown@call;to-tag=1;from-tag=2'), 481);
  t.equal(outcome(replaces.replace(/to-tag=\w+/, 'to-tag=other')), 481);
  t.equal(outcome(`${replaces};early-only`), 486);
  t.equal(outcome(replaces, replaces), 400);
  t.equal(outcome('call;to-tag=1'), 400);
  t.equal(outcome(';;;'), 400);
  carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer });
  network.run(100);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(100);
  const ringing = parsed(network.packets.filter(({ text }) => text.startsWith('SIP/2.0 180')).at(-1)?.text ?? '');
  alice.userAgent.invite(network.now, {
    account: 'alice',
    target: bob.uri('bob'),
    headers: [['Replaces', `${ringing.callId};to-tag=${ringing.to.tag};from-tag=${ringing.from.tag}`]],
  });
  network.run(100);
  t.equal(alice.last('failed').statusCode, 481, 'a call that rings here is not for others to take');
});

t.test('RFC 3891 §3 a call of ours that rings there can be taken over', async (t) => {
  const { network, bob, carol, textOfLast } = scene();
  const session = carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer });
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  const ringing = parsed(textOfLast('SIP/2.0 180'));
  bob.userAgent.invite(network.now, {
    account: 'bob',
    target: carol.uri('carol'),
    body: offer,
    headers: [['Replaces', `${ringing.callId};to-tag=${ringing.from.tag};from-tag=${ringing.to.tag};early-only`]],
  });
  network.run(50);
  t.equal(carol.last('incoming').replaces, session);
});

t.test('RFC 3911 §4 an INVITE with Join names the call it wants into; what can not be joined: 400, 403, 481, 486', async (t) => {
  const { network, alice, bob, carol, atAlice, atBob } = scene();
  const address = alice.userAgent.addressWithReplaces(atAlice);
  const named = address?.kind === 'sip' ? (address.headers[0]?.[1] ?? '') : '';
  const outcome = (...headers: (readonly [string, string])[]): number => {
    carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer, headers });
    network.run(100);
    return carol.last('failed').statusCode;
  };
  t.equal(outcome(['Join', named], ['Require', 'join']), 403, '§8 not without a server that knows who asks');
  const server = carol.uri('bob').with({ user: undefined });
  bob.userAgent.setAccount(network.now, { id: 'bob', aor: bob.uri('bob'), outboundProxy: server, transport: 'udp', expires: 3600 });
  t.equal(outcome(['Join', 'unknown@call;to-tag=1;from-tag=2']), 481);
  t.equal(outcome(['Join', named.replace(/to-tag=\w+/, 'to-tag=other')]), 481);
  t.equal(outcome(['Join', named], ['Join', named]), 400);
  t.equal(outcome(['Join', 'call;to-tag=1']), 400);
  t.equal(outcome(['Join', ';;;']), 400);
  t.equal(outcome(['Join', named], ['Replaces', named]), 400, 'one call can not both go and stay');
  const ringing = alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  network.run(50);
  const invite = bob.last('incoming');
  bob.userAgent.ring(network.now, invite.session);
  network.run(50);
  const early = parsed(network.packets.filter(({ text }) => text.startsWith('SIP/2.0 180')).at(-1)?.text ?? '');
  t.equal(outcome(['Join', `${early.callId};to-tag=${early.to.tag};from-tag=${early.from.tag}`]), 486, 'nobody talks there yet');
  alice.userAgent.end(network.now, ringing);
  carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer, headers: [['Join', named]] });
  network.run(50);
  t.match(bob.last('incoming'), { joins: atBob, account: 'bob' });
  t.equal(bob.all('ended').length, 0, 'the call that is joined goes on');
});

/** The stages alice heard of; a NOTIFY that overtakes the 202 leaves no need to tell of that. */
function withoutAccepted(agent: TestAgent): string[] {
  return agent.all('referProgress').flatMap(({ stage }) => (stage === 'accepted' ? [] : [stage]));
}
