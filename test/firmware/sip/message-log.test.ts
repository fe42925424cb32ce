import t from 'tap';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { MessageLog } from '#firmware/sip/message-log.ts';

/** What is kept of messages for a ladder. */

const peer = 'udp:192.0.2.1:5060';

function message(start: string, callId: string, method = 'INVITE', more: readonly string[] = []) {
  const lines = [
    start,
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1',
    'Max-Forwards: 70',
    'From: <sip:a@a.example>;tag=1',
    'To: <sip:b@b.example>',
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    ...more,
    'Content-Length: 2',
  ];
  const result = parseMessage(Buffer.from(`${lines.join('\r\n')}\r\n\r\nhi`));
  if (!result.ok) throw new Error(`not a message: ${start.slice(0, 60)}`);
  return result.message;
}

t.test('a call is what its messages were, in order, and nothing secret of them', async (t) => {
  const log = new MessageLog();
  const secret = 'Authorization: Digest username="a", realm="r", nonce="n", uri="sip:b", response="0123456789abcdef0123456789abcdef"';
  log.add(5, 'sent', message('INVITE sip:b:geheim@b.example;secret=geheim SIP/2.0', 'one', 'INVITE', [secret]), peer);
  log.add(9, 'received', message('SIP/2.0 486 Busy Here', 'one'), peer);
  t.same(log.dialogs, [
    {
      callId: 'one',
      method: 'INVITE',
      target: 'b@b.example',
      leftOut: 0,
      messages: [
        { at: 5, direction: 'sent', peer, start: 'INVITE', isResponse: false, cSeq: '1 INVITE', octets: 2 },
        { at: 9, direction: 'received', peer, start: '486 Busy Here', isResponse: true, cSeq: '1 INVITE', octets: 2 },
      ],
    },
  ]);
  t.notMatch(JSON.stringify(log.dialogs), /geheim|0123456789abcdef/);
});

t.test('what strangers send is kept within bounds, and calls and the rest do not push each other out', async (t) => {
  const log = new MessageLog();
  log.add(0, 'sent', message('REGISTER sip:r.example SIP/2.0', 'registration', 'REGISTER'), peer);
  for (let i = 0; i < 40; i++) log.add(i, 'received', message(`INVITE sip:b@b.example SIP/2.0`, `call-${i}`), peer);
  t.equal(log.dialogs.filter(({ method }) => method === 'INVITE').length, 16);
  t.equal(log.dialogs[0]?.callId, 'call-39', 'the newest first');
  t.equal(log.dialogs.at(-1)?.callId, 'registration');
  for (let i = 0; i < 40; i++) log.add(i, 'received', message('OPTIONS sip:b@b.example SIP/2.0', `question-${i}`, 'OPTIONS'), peer);
  t.equal(log.dialogs.length, 32);
  t.ok(log.dialogs.some(({ callId }) => callId === 'call-39'));
  for (let i = 0; i < 60; i++) log.add(i, 'received', message('INVITE sip:b@b.example SIP/2.0', 'call-39'), peer);
  t.match(log.dialogs[0], { callId: 'call-39', leftOut: 13, messages: { length: 48 } });
});

t.test('long words are cut', async (t) => {
  const log = new MessageLog();
  const long = 'x'.repeat(5_000);
  log.add(0, 'received', message(`INVITE sip:${long}@b.example SIP/2.0`, long), peer);
  log.add(0, 'sent', message(`SIP/2.0 400 ${long}`, long), peer);
  t.equal(log.dialogs.length, 1, 'a cut Call-ID is the same one again');
  t.ok(JSON.stringify(log.dialogs).length < 700);
});
