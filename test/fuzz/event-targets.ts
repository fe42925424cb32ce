import { silentLogger } from '#firmware/core/logger.ts';
import { xmlReader } from '#firmware/platform/xml-reader.ts';
import { callCompletionOf } from '#firmware/sip/event/call-completion-document.ts';
import { composingOf, formatComposing } from '#firmware/sip/event/composing-document.ts';
import { dialogNewsOf, formatDialogDocument } from '#firmware/sip/event/dialog-document.ts';
import { formatPresenceDocument, presenceOf } from '#firmware/sip/event/presence-document.ts';
import { bindingNewsOf } from '#firmware/sip/event/registration-document.ts';
import { decodeText } from '#firmware/sip/message/text.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { octets } from '#test/vectors/sip-messages.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const remote = { displayName: 'C <&>', uri: 'sip:c@192.0.2.13' };
const names = { callId: 'c1', localTag: 'l', remoteTag: 'r' };
const dialogs = formatDialogDocument('sip:a@b', 3, [{ id: 'd', direction: 'recipient', state: 'early', remote, names }]);
const reginfo =
  '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full"><registration aor="sip:a@b" id="r" state="active">' +
  '<contact id="c" state="terminated" event="deactivated" retry-after="7"><uri>sip:user@192.0.2.1</uri></contact></registration></reginfo>';

const readXml = xmlReader();
// The parser is loaded with the first document, which is no cost of that document.
readXml(octets(dialogs));

function readDocument(bytes: Uint8Array): void {
  callCompletionOf(decodeText(bytes));
  const document = readXml(bytes);
  if (!document) return;
  const news = dialogNewsOf(document);
  if (news && news.dialogs.length + news.gone.length > 32) throw new Error('a document without end');
  presenceOf(document);
  bindingNewsOf(document, 'user');
  composingOf(document);
}

/** Documents of event packages: whatever comes, it is read or it is none. */
export const documentTarget: FuzzTarget = {
  name: 'documents',
  seeds: [
    dialogs,
    formatPresenceDocument('sip:a@b', 'busy', 'sip:a@b'),
    reginfo,
    formatComposing(true),
    'cc-state: ready\r\ncc-URI: sip:a@b\r\n',
  ].map(octets),
  words: [
    '<',
    '>',
    '</',
    '/>',
    '="',
    '<![CDATA[',
    ']]>',
    '<!--',
    '<!DOCTYPE a [',
    '&lt;',
    '&#x41;',
    '<dialog id="',
    'state="partial"',
    '<state>',
  ],
  run: readDocument,
  read: readDocument,
};

const flow: Flow = {
  id: 'fuzz',
  transport: 'udp',
  reliable: false,
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.11', port: 5060 },
};

function notify(state: string, lines: readonly string[] = [], body = ''): string {
  const type = body === '' ? [] : ['Content-Type: application/dialog-info+xml'];
  return [
    'NOTIFY sip:a@192.0.2.1 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKn1',
    'Max-Forwards: 70',
    'From: <sip:bob@192.0.2.11>;tag=n1',
    'To: <sip:a@192.0.2.1>;tag=@TAG@',
    'Call-ID: @ID@',
    'CSeq: 1 NOTIFY',
    'Contact: <sip:bob@192.0.2.11:5060>',
    'Event: dialog',
    `Subscription-State: ${state}`,
    ...lines,
    ...type,
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

/** What a notifier sends into a subscription of ours: the user agent bears it, and comes to rest once it has left. */
export const subscriptionTarget: FuzzTarget = {
  name: 'subscription',
  seeds: [
    notify('active;expires=600', [], dialogs),
    notify('terminated;reason=deactivated;retry-after=3'),
    notify('pending', ['Record-Route: <sip:192.0.2.11;lr>']),
    notify('terminated;reason=noresource').replace('NOTIFY sip', 'SUBSCRIBE sip').replace('1 NOTIFY', '1 SUBSCRIBE'),
  ].map(octets),
  words: [
    '\r\n',
    ';',
    '@TAG@',
    '@ID@',
    'Subscription-State: terminated',
    'retry-after=',
    'expires=',
    'Event: dialog;id=1',
    'CSeq: 4294967296 ',
    ';tag=n2',
  ],
  run: (bytes) => {
    const { agent, message } = subscribed(bytes);
    agent.receive(1_000, flow, message);
    settle(agent);
    agent.receive(1_001, flow, message);
    settle(agent);
    agent.stop(2_000);
    settle(agent);
    for (let steps = 0; agent.deadline !== undefined; steps++) {
      if (steps > 2_000) throw new Error('the user agent never comes to rest');
      agent.handleTimeout(agent.deadline);
      settle(agent);
    }
  },
  read: (bytes) => {
    const { agent, message } = subscribed(bytes);
    agent.receive(1_000, flow, message);
    settle(agent);
  },
};

/** A user agent that watches somebody and has heard nothing yet, and the message with the names of its SUBSCRIBE in it. */
function subscribed(bytes: Uint8Array): { agent: UserAgent; message: Uint8Array } {
  const agent = new UserAgent({
    entropy: seededEntropy(5),
    logger: silentLogger,
    addresses: { towards: () => ({ address: '192.0.2.1', port: 5060 }) },
    settings: { acceptDirectCalls: true },
    readXml,
  });
  agent.setAccount(0, { id: 'a', aor: new SipUri({ user: 'a', host: '192.0.2.1' }), expires: 600 });
  agent.subscriptions.watch(0, 'a', { event: 'dialog', target: new SipUri({ user: 'bob', host: '192.0.2.11' }) });
  const sent = settle(agent).join('');
  const tag = /^From:.*;tag=([\w.-]+)/im.exec(sent)?.[1] ?? '';
  const id = /^Call-ID: (\S+)/im.exec(sent)?.[1] ?? '';
  const via = /^Via: .*$/im.exec(sent)?.[0] ?? '';
  const answer = [
    via,
    'From: <sip:a@192.0.2.1>;tag=@TAG@',
    'To: <sip:bob@192.0.2.11>;tag=n1',
    'Call-ID: @ID@',
    'CSeq: 1 SUBSCRIBE',
    'Expires: 600',
  ];
  const named = (text: string) => text.replaceAll('@TAG@', tag).replaceAll('@ID@', id);
  agent.receive(1, flow, octets(named(`SIP/2.0 200 OK\r\n${answer.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`)));
  settle(agent);
  const text = named(Buffer.from(bytes).toString('latin1'));
  return { agent, message: Buffer.from(text.slice(0, 65_536), 'latin1') };
}

function settle(agent: UserAgent): string[] {
  const sent: string[] = [];
  for (let outputs = agent.drain(), rounds = 0; outputs.length > 0; outputs = agent.drain(), rounds++) {
    if (rounds > 100) throw new Error('the outputs never end');
    for (const output of outputs) if (output.kind === 'transmit') sent.push(Buffer.from(output.bytes).toString('latin1'));
  }
  return sent;
}
