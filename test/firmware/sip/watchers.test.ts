import t from 'tap';
import type { ShownDialog } from '#firmware/sip/event/dialog-document.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { directAgent, ScriptedPeer } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const remote = { displayName: 'Carol "C" <&>', uri: 'sip:carol@example.org;x="1"' };
const ringing: ShownDialog = { id: 'd1', direction: 'recipient', state: 'early', remote };
const talking: ShownDialog = { ...ringing, state: 'confirmed' };

/** Bob's agent may be watched by a peer whose every request is the test's. */
function scene(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const bob = directAgent(network, '192.0.2.2', 'bob', { acceptWatchers: true, ...settings });
  const peer = new ScriptedPeer(network, '192.0.2.9');
  let status = 200;
  let branches = 0;
  peer.onRequest = (request) => {
    if (request.method !== 'NOTIFY' || status === 0) return;
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${request.header(name)}`);
    peer.host.sendText(bob.host, `SIP/2.0 ${status} Whatever\r\n${copied.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`);
  };
  /** Sends a SUBSCRIBE; header lines replace those of the same name, empty ones take them away. */
  const subscribe = (changes: Readonly<Record<string, string>> = {}, uri = 'sip:bob@192.0.2.2') => {
    const fields = new Map([
      ['Via', `SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKw${++branches}`],
      ['Max-Forwards', '70'],
      ['From', '<sip:watcher@192.0.2.9>;tag=w'],
      ['To', '<sip:bob@192.0.2.2>'],
      ['Call-ID', 'watch'],
      ['CSeq', `${branches} SUBSCRIBE`],
      ['Contact', '<sip:watcher@192.0.2.9>'],
      ['Event', 'dialog'],
      ['Content-Length', '0'],
      ...Object.entries(changes),
    ]);
    const lines = [...fields].flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}`]));
    peer.host.sendText(bob.host, `SUBSCRIBE ${uri} SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n`);
    network.run(100);
    const response = peer.responses().at(-1);
    if (!response) throw new Error('no answer to the SUBSCRIBE');
    return response;
  };
  const inside = (changes: Readonly<Record<string, string>> = {}) =>
    subscribe({ To: peer.responses(200)[0]?.to.toString() ?? '', ...changes });
  const show = (...dialogs: readonly ShownDialog[]) => {
    const news = bob.userAgent.show(network.now, 'bob', { dialogs, presence: 'open', free: dialogs.length === 0 });
    bob.host.settle();
    return news;
  };
  const answerWith = (code: number) => {
    status = code;
  };
  const notifies = () => peer.requests('NOTIFY');
  const last = () => told(notifies().at(-1));
  return { network, bob, peer, subscribe, inside, show, notifies, last, answerWith };
}

function told(notify: Request | undefined): { state: string; document: string } {
  return { state: notify?.header('Subscription-State') ?? '', document: new TextDecoder().decode(notify?.body) };
}

t.test('RFC 4235 §3, RFC 6665 §4.2 a watcher hears at once how things stand, then of every change', async (t) => {
  const { network, subscribe, show, last, notifies } = scene();
  show(ringing);
  const response = subscribe({ Accept: 'application/dialog-info+xml', Expires: '600', Event: 'dialog;id=7' });
  t.match([response.statusCode, response.header('Expires')], [200, '600']);
  t.equal(notifies().length, 1);
  t.equal(notifies()[0]?.header('Event'), 'dialog;id=7');
  t.match(last().state, 'active;expires=600');
  t.equal(
    last().document,
    '<?xml version="1.0" encoding="UTF-8"?>\r\n' +
      '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:bob@192.0.2.2">\r\n' +
      '<dialog id="d1" direction="recipient"><state>early</state><remote>' +
      '<identity display="Carol &quot;C&quot; &lt;&amp;&gt;">sip:carol@example.org;x=&quot;1&quot;</identity></remote></dialog>\r\n' +
      '</dialog-info>\r\n',
  );
  network.run(2 * seconds);
  t.ok(show(talking));
  t.notOk(show(talking), 'no news is not told');
  network.run(100);
  t.match(last().document, /version="1"[\s\S]*<state>confirmed</);
  network.run(2 * seconds);
  show();
  network.run(100);
  t.match(last().document, /version="2"/);
  t.notMatch(last().document, /<dialog /);
});

t.test('RFC 4235 §3.10 not more than one NOTIFY a second: what changes faster is told together', async (t) => {
  const { network, subscribe, show, notifies, last } = scene();
  subscribe();
  for (let count = 0; count < 20; count++) {
    show(count % 2 === 0 ? ringing : talking);
    network.run(100);
  }
  t.ok(notifies().length <= 4, `${notifies().length} in two seconds`);
  network.run(2 * seconds);
  t.match(last().document, /confirmed/, 'the last state is told in any case');
});

t.test('RFC 6665 §4.2.1.4, §4.4.3 refreshed, ended, left to expire, and asked once', async (t) => {
  const { network, subscribe, inside, last, notifies, bob } = scene();
  const dialogs = () => (bob.userAgent.describe() as { dialogs: number }).dialogs;
  subscribe({ Expires: '100' });
  network.run(90 * seconds);
  t.equal(inside({ Expires: '200' }).statusCode, 200);
  t.match(last().state, 'active;expires=200');
  network.run(150 * seconds);
  t.equal(dialogs(), 1);
  network.run(60 * seconds);
  t.match(last().state, 'terminated;reason=timeout');
  t.equal(dialogs(), 0);
  t.equal(inside({ Expires: '200' }).statusCode, 481, 'too late');
  subscribe({ 'Call-ID': 'second' });
  t.match(last().state, 'active;expires=3600', 'an hour unless told');
  const before = notifies().length;
  subscribe({ 'Call-ID': 'third', Expires: '0' });
  t.same([notifies().length - before, last().state], [1, 'terminated;reason=timeout'], 'how things stand, once');
  t.equal(dialogs(), 1);
});

t.test('a watcher who ends it hears the last of it; one that refuses or does not answer is forgotten', async (t) => {
  const { network, subscribe, inside, show, last, notifies, answerWith, bob } = scene();
  const dialogs = () => (bob.userAgent.describe() as { dialogs: number }).dialogs;
  subscribe();
  t.equal(inside({ Expires: '0' }).statusCode, 200);
  t.match(last().state, 'terminated');
  t.equal(dialogs(), 0);
  subscribe({ 'Call-ID': 'second' });
  answerWith(481);
  network.run(2 * seconds);
  show(ringing);
  network.run(100);
  t.equal(dialogs(), 0);
  answerWith(0);
  subscribe({ 'Call-ID': 'third' });
  network.run(40 * seconds);
  t.equal(dialogs(), 0, 'Timer F');
  const count = notifies().length;
  show(talking);
  network.run(2 * seconds);
  t.equal(notifies().length, count);
});

t.test('what is refused: 400, 404, 405, 406, 423, 481, 489, 503', async (t) => {
  const { subscribe, inside, bob, peer, network } = scene({ maximumWatchers: 2 });
  const status = (changes: Readonly<Record<string, string>>, uri?: string) => subscribe(changes, uri).statusCode;
  t.equal(status({ Event: 'conference' }), 489);
  t.equal(peer.responses(489)[0]?.header('Allow-Events'), 'message-summary, refer, dialog, presence');
  t.equal(status({ Event: '' }), 489);
  t.equal(status({ Contact: '' }), 400);
  t.equal(status({ Expires: '59' }), 423);
  t.equal(peer.responses(423)[0]?.header('Min-Expires'), '60');
  t.equal(status({ Accept: 'application/pidf+xml' }), 406);
  t.equal(status({}, 'sip:nobody@192.0.2.2'), 404);
  t.equal(status({ To: '<sip:bob@192.0.2.2>;tag=gone' }), 481);
  t.equal(status({ Accept: 'text/plain, application/*' }), 200);
  t.equal(inside({ Expires: '5' }).statusCode, 423, 'a refresh too');
  t.equal(inside({ Event: 'conference' }).statusCode, 489);
  t.equal(inside({ CSeq: '1 SUBSCRIBE' }).statusCode, 500, 'RFC 3261 §12.2.2 out of order');
  t.equal(status({ 'Call-ID': 'second' }), 200);
  t.equal(status({ 'Call-ID': 'third' }), 503);
  t.match(peer.responses(503)[0]?.header('Retry-After'), /^\d+$/);
  bob.userAgent.removeAccount(network.now, 'bob');
  bob.host.settle();
  network.run(100);
  t.match(peer.requests('NOTIFY').at(-1)?.header('Subscription-State'), 'terminated;reason=deactivated');
  t.equal((bob.userAgent.describe() as { dialogs: number }).dialogs, 0);
});

t.test('who may watch: nobody unless it is switched on, and then the servers of the account', async (t) => {
  t.equal(scene({ acceptWatchers: false }).subscribe().statusCode, 489);
  t.equal(scene({ acceptDirectCalls: false }).subscribe().statusCode, 403);
});
