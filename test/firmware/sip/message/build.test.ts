import t from 'tap';
import {
  buildAck,
  buildCancel,
  buildRequest,
  buildResponse,
  replaceTopVia,
  serializeMessage,
  statelessTag,
  withTopVia,
} from '#firmware/sip/message/build.ts';
import type { Message, Request } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { reasonPhraseOf } from '#firmware/sip/message/response-reasons.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { Via } from '#firmware/sip/message/via.ts';
import { invite, octets } from '#test/vectors/sip-messages.ts';

const lobby = new NameAddr(new SipUri({ user: 'lobby', host: 'house.example' }), 'Lobby', new Map([['tag', 'w3st']]));
const porter = new NameAddr(new SipUri({ user: 'porter', host: 'house.example' }));
const via = new Via({
  transport: 'UDP',
  host: '192.0.2.11',
  port: 5060,
  params: new Map([
    ['branch', 'z9hG4bKb1'],
    ['rport', ''],
  ]),
});

function wire(message: Message): string {
  return new TextDecoder().decode(serializeMessage(message));
}

function parsed(text: string): Request {
  const result = parseMessage(octets(text));
  if (!result.ok || result.message.kind !== 'request') throw new Error('not a request');
  return result.message;
}

t.test('§8.1.1 a request has what every request must have, in this order', async (t) => {
  const request = buildRequest({
    method: 'INVITE',
    requestUri: porter.uri,
    from: lobby,
    to: porter,
    callId: 'c1@192.0.2.11',
    sequence: 1,
    via,
    routes: [new NameAddr(new SipUri({ host: 'edge.example', params: new Map([['lr', '']]) }))],
    contact: new NameAddr(new SipUri({ user: 'lobby', host: '192.0.2.11', port: 5060 })),
    headers: [['Subject', 'grüß Gott']],
    body: { type: 'text/plain', content: 'ö' },
  });
  const lines = [
    'INVITE sip:porter@house.example SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKb1;rport',
    'Route: <sip:edge.example;lr>',
    'Max-Forwards: 70',
    'From: "Lobby" <sip:lobby@house.example>;tag=w3st',
    'To: <sip:porter@house.example>',
    'Call-ID: c1@192.0.2.11',
    'CSeq: 1 INVITE',
    'Contact: <sip:lobby@192.0.2.11:5060>',
    'Subject: grüß Gott',
    'Content-Type: text/plain',
    'Content-Length: 2',
    '',
    'ö',
  ];
  t.equal(wire(request), lines.join('\r\n'));
  t.equal(request.cSeq.method, 'INVITE');
  t.equal(request.from.tag, 'w3st', 'what was built reads like what was parsed');
  t.throws(() => buildRequest({ method: 'A B', requestUri: porter.uri, from: lobby, to: porter, callId: 'c', sequence: 1 }), {
    code: 'method',
  });
});

t.test('§8.2.6 a response copies Via, From, To, Call-ID and CSeq, and Record-Route where a dialog begins', async (t) => {
  const request = parsed(invite);
  const ringing = buildResponse(request, 180, { toTag: 'p0rt', contact: porter });
  const expected = [
    'SIP/2.0 180 Ringing',
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
    'Via: SIP/2.0/TCP stairs.house.example;branch=z9hG4bKstairs;received=192.0.2.12',
    'Record-Route: <sip:edge.house.example;lr>, <sip:core.house.example;lr>',
    'From: "Lobby \\"West\\"" <sip:lobby@house.example>;tag=w3st',
    'To: Porter <sip:porter@house.example>;tag=p0rt',
    'Call-ID: 5f1c@192.0.2.11',
    'CSeq: 20 INVITE',
    'Contact: <sip:porter@house.example>',
    'Content-Length: 0',
    '\r\n',
  ];
  t.equal(wire(ringing), expected.join('\r\n'));
  t.equal(ringing.to.tag, 'p0rt');
  t.notMatch(wire(buildResponse(request, 100)), /Record-Route|;tag=p0rt/, 'not in a 100');
  t.notMatch(wire(buildResponse(request, 486)), /Record-Route/, 'nor in a refusal');
  t.match(wire(buildResponse(request, 100)), /^SIP\/2.0 100 Trying\r\n/);
  const timed = parsed(invite.replace('Subject:', 'Timestamp:'));
  t.match(wire(buildResponse(timed, 100)), /\r\nTimestamp: /, '§8.2.6.1');
  const inDialog = parsed(invite.replace('<sip:porter@house.example>\r\nCall', '<sip:porter@house.example>;tag=old\r\nCall'));
  t.equal(buildResponse(inDialog, 200, { toTag: 'new' }).to.tag, 'old', 'a tag that is there stays');
  t.match(
    wire(buildResponse(request, 200, { reasonPhrase: 'Fine\r\nX: y' })),
    /^SIP\/2.0 200 Fine X: y\r\nVia/,
    'one line, whatever it says',
  );
});

t.test('§17.1.1.3 the ACK of a refusal goes the way of the INVITE', async (t) => {
  const request = parsed(invite.replace('Record-Route:', 'Route:').replace('Subject:', 'Proxy-Authorization:'));
  const ack = buildAck(request, buildResponse(request, 486, { toTag: 'p0rt' }));
  const expected = [
    'ACK sip:porter@house.example SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
    'Route: <sip:edge.house.example;lr>, <sip:core.house.example;lr>',
    'Max-Forwards: 70',
    'From: "Lobby \\"West\\"" <sip:lobby@house.example>;tag=w3st',
    'To: Porter <sip:porter@house.example>;tag=p0rt',
    'Call-ID: 5f1c@192.0.2.11',
    'CSeq: 20 ACK',
    'Proxy-Authorization: somebody at the door',
    'Content-Length: 0',
    '\r\n',
  ];
  t.equal(wire(ack), expected.join('\r\n'));
});

t.test('§9.1 a CANCEL is like its INVITE, without tag, credentials and body', async (t) => {
  const request = parsed(invite.replace('Record-Route:', 'Route:').replace('Subject:', 'Authorization:'));
  const expected = [
    'CANCEL sip:porter@house.example SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
    'Route: <sip:edge.house.example;lr>, <sip:core.house.example;lr>',
    'Max-Forwards: 70',
    'From: "Lobby \\"West\\"" <sip:lobby@house.example>;tag=w3st',
    'To: Porter <sip:porter@house.example>',
    'Call-ID: 5f1c@192.0.2.11',
    'CSeq: 20 CANCEL',
    'Content-Length: 0',
    '\r\n',
  ];
  t.equal(wire(buildCancel(request)), expected.join('\r\n'));
});

t.test('a Via goes above the others, or takes the place of the first', async (t) => {
  const request = parsed(invite.replace('\r\nVia: SIP/2.0/TCP', ', SIP/2.0/TCP'));
  t.strictSame(withTopVia(request, via).vias.map(String).slice(0, 2), [
    String(via),
    'SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
  ]);
  const replaced = replaceTopVia(request, via);
  t.strictSame(replaced.vias.map(String), [String(via), 'SIP/2.0/TCP stairs.house.example;branch=z9hG4bKstairs;received=192.0.2.12']);
  t.equal(replaced.headers.fields.length, request.headers.fields.length);
});

t.test('§8.2.7 the tag of an answer without state is that of the request and no other', async (t) => {
  t.equal(statelessTag(parsed(invite)), statelessTag(parsed(invite)));
  const others = ['z9hG4bKlobby2', 'CSeq: 21', 'w4st', '5f1d@', 'desk@'].map((part, i) =>
    statelessTag(parsed(invite.replace(['z9hG4bKlobby1', 'CSeq: 20', 'w3st', '5f1c@', 'lobby@'][i] ?? '', part))),
  );
  t.equal(new Set([...others, statelessTag(parsed(invite))]).size, 6);
  t.match(others[0], /^[a-z0-9]+$/);
});

t.test('§21 every status code has a phrase', async (t) => {
  t.equal(reasonPhraseOf(487), 'Request Terminated');
  t.strictSame([199, 299, 399, 499, 599, 699].map(reasonPhraseOf), [
    'Early Dialog Terminated',
    'Success',
    'Redirection',
    'Request Failure',
    'Server Failure',
    'Global Failure',
  ]);
});
