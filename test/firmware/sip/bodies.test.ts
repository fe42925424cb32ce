import t from 'tap';
import { readBodies } from '#firmware/sip/body-parts.ts';
import { parseMultipart } from '#firmware/sip/message/multipart.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, directAgent, nameOf, parsed, ScriptedPeer, sdp, textOf } from '#test/support/sip-agents.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A part: its header lines and its content. */
function part(lines: readonly string[], content: string): string {
  return `${[...lines, '', content].join('\r\n')}`;
}

function multipart(...parts: readonly string[]): string {
  return `${parts.map((one) => `--b\r\n${one}\r\n`).join('')}--b--\r\n`;
}

const description = part(['Content-Type: application/sdp'], textOf(sdp('inside')));
const isup = (handling: string): string =>
  part(['Content-Type: application/ISUP;version=nxv3;base=etsi121', `Content-Disposition: signal${handling}`], '\u0001\u0000I\n--x');

/** An INVITE with that body. */
function inviteWith(type: string, body: string, lines: readonly string[] = []): string {
  const head = ['INVITE sip:bob@192.0.2.2 SIP/2.0', 'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKb', 'Max-Forwards: 70'];
  head.push(
    'From: <sip:peer@192.0.2.9>;tag=p',
    'To: <sip:bob@192.0.2.2>',
    'Call-ID: bodies',
    'CSeq: 1 INVITE',
    'Contact: <sip:peer@192.0.2.9>',
  );
  return `${[...head, ...lines, `Content-Type: ${type}`, `Content-Length: ${encoder.encode(body).length}`].join('\r\n')}\r\n\r\n${body}`;
}

/** What a phone makes of such an INVITE: the name of the offer that is told, or the refusal. */
function outcomeOf(type: string, body: string, lines: readonly string[] = []): string {
  const network = new SimulatedNetwork();
  const bob = directAgent(network, '192.0.2.2', 'bob');
  const peer = new ScriptedPeer(network, '192.0.2.9');
  peer.host.sendText(bob.host, inviteWith(type, body, lines));
  network.run(50);
  const [refusal] = peer.responses();
  if (refusal) return String(refusal.statusCode);
  const reading = readBodies(bob.last('incoming').request);
  return reading.kind === 'description' ? nameOf(reading.body) : reading.kind;
}

const mixed = 'multipart/mixed;boundary=b';

const cases: readonly (readonly [title: string, type: string, body: string, outcome: string, lines?: readonly string[]])[] = [
  ['RFC 5621 §3 the description in multipart/mixed', mixed, multipart(description), 'inside'],
  ['RFC 3204 §4 an optional ISUP part is passed over', mixed, multipart(description, isup(';handling=optional')), 'inside'],
  ['RFC 5621 §8 an ISUP part that is required', mixed, multipart(description, isup(';handling=required')), '415'],
  ['RFC 3261 §20.11 handling is required unless it is said', mixed, multipart(isup(''), description), '415'],
  ['RFC 2046 §5.1.4 alternatives: what is understood', 'multipart/alternative;boundary="b"', multipart(description, isup('')), 'inside'],
  [
    'RFC 2046 §5.1.4 of alternatives the last',
    'multipart/alternative;boundary=b',
    multipart(description, part(['Content-Type: application/sdp'], textOf(sdp('better')))),
    'better',
  ],
  ['alternatives none of which is understood', 'multipart/alternative;boundary=b', multipart(isup(''), isup('')), '415'],
  ['no description, only what is optional: as if without a body', mixed, multipart(isup(';handling=optional')), 'nothing'],
  [
    'RFC 5621 §3.1 nested',
    mixed,
    multipart(part(['Content-Type: multipart/alternative;boundary=c'], `--c\r\n${description}\r\n--c--\r\n`), isup(';handling=optional')),
    'inside',
  ],
  ['an optional body of another type', 'application/isup', 'abc', 'nothing', ['Content-Disposition: signal;handling=optional']],
  [
    'RFC 3959 a description of an early session alone',
    'application/sdp',
    textOf(sdp('early')),
    '415',
    ['Content-Disposition: early-session'],
  ],
  [
    'a session description that says so',
    'application/sdp',
    textOf(sdp('said')),
    'said',
    ['Content-Disposition: session;handling=required'],
  ],
  ['a part that is encoded', mixed, multipart(part(['Content-Type: application/sdp', 'Content-Encoding: gzip'], 'x')), '415'],
  ['a part in identity', mixed, multipart(part(['content-type: Application/SDP', 'e: identity'], textOf(sdp('plain')))), 'plain'],
  ['a part without a type', mixed, multipart(part(['Content-ID: <1@x>'], 'x')), '400'],
  ['no boundary', 'multipart/mixed', multipart(description), '400'],
  ['another boundary', 'multipart/mixed;boundary=other', multipart(description), '400'],
  ['no end', mixed, `--b\r\n${description}\r\n`, '400'],
  ['no part', mixed, '--b--\r\n', '400'],
  ['a boundary beyond all bounds', `multipart/mixed;boundary=${'b'.repeat(71)}`, multipart(description), '400'],
  ['nested without end', mixed, multipart(part(['Content-Type: multipart/mixed;boundary=b'], multipart(description))), '400'],
];

for (const [title, type, body, outcome, lines] of cases) {
  t.test(`${title}: ${outcome}`, async (t) => {
    t.equal(outcomeOf(type, body, lines), outcome);
  });
}

t.test('RFC 5621 §8 the refusal says what would have been read', async (t) => {
  const network = new SimulatedNetwork();
  const bob = directAgent(network, '192.0.2.2', 'bob');
  const peer = new ScriptedPeer(network, '192.0.2.9');
  peer.host.sendText(bob.host, inviteWith('application/isup', 'x'));
  network.run(50);
  t.match(peer.responses(415)[0]?.header('Accept'), /application\/sdp, multipart\/mixed/);
});

t.test('an answer in several parts is an answer like others', async (t) => {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice');
  const bob = directAgent(network, '192.0.2.2', 'bob');
  alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: sdp('offer') });
  network.run(50);
  bob.userAgent.accept(network.now, bob.last('incoming').session, {
    contentType: mixed,
    bytes: encoder.encode(multipart(isup(''), description)),
  });
  network.run(50);
  t.equal(alice.last('accepted').body, undefined, 'what is required and not understood makes it none');
  const second = alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: sdp('offer') });
  network.run(50);
  const bytes = encoder.encode(multipart(isup(';handling=optional'), description));
  bob.userAgent.accept(network.now, bob.last('incoming').session, { contentType: mixed, bytes });
  network.run(50);
  t.equal(nameOf(alice.last('accepted').body), 'inside');
  t.equal(alice.last('accepted').session, second);
  t.not(nameOf(alice.last('accepted').body), nameOf(answer));
});

t.test('RFC 2046 §5.1.1 preamble, epilogue, bare line feeds and padded delimiters do no harm', async (t) => {
  const text = 'Preamble\n--bad\n--b  \t\nContent-Type: a/b\n\none\n\n--b\r\n\r\ntwo--b\r\n--bb\r\n--b--\r\n--b\r\nnot a part';
  const parts = parseMultipart(encoder.encode(text), 'b');
  t.same(
    parts?.map(({ content }) => decoder.decode(content)),
    ['one\n', 'two--b\r\n--bb'],
  );
  t.equal(parts?.[0]?.headers.get('c'), 'a/b');
});

t.test('what is beyond the limits, or broken in any way, is refused without a fault', async (t) => {
  t.equal(parseMultipart(encoder.encode(multipart(...Array.from({ length: 17 }, () => 'a: b\r\n\r\nx'))), 'b'), undefined);
  t.equal(
    parseMultipart(
      encoder.encode(
        multipart(
          part(
            Array.from({ length: 17 }, () => 'a: b'),
            'x',
          ),
        ),
      ),
      'b',
    ),
    undefined,
  );
  t.equal(parseMultipart(encoder.encode(multipart(part([`a: ${'x'.repeat(5_000)}`], 'x'))), 'b'), undefined);
  t.equal(parseMultipart(encoder.encode(multipart('no field\r\n\r\nx')), 'b'), undefined);
  const whole = encoder.encode(multipart(description, isup(';handling=optional')));
  for (let length = 0; length < whole.length - 3; length++) t.equal(parseMultipart(whole.subarray(0, length), 'b'), undefined);
  for (let at = 0; at < whole.length; at++) {
    const flipped = whole.slice();
    flipped[at] = (flipped[at] ?? 0) ^ 0x55;
    readBodies(parsed(inviteWith(mixed, decoder.decode(flipped))));
  }
  t.pass('every byte was flipped once');
});

t.test('64 KiB of delimiters cost no time', async (t) => {
  const bytes = encoder.encode('--b\n\n'.repeat(13_000));
  const started = performance.now();
  t.equal(parseMultipart(bytes, 'b'), undefined);
  t.ok(performance.now() - started < 50);
});
