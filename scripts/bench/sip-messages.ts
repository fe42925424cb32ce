import { serializeMessage } from '#firmware/sip/message/build.ts';
import type { Message } from '#firmware/sip/message/message.ts';
import { parseMessage, splitMessage } from '#firmware/sip/message/parse.ts';
import { rivalParsers } from './rival-parsers.ts';
import { type BenchRow, median } from './row.ts';

const rounds = 5;
const timesPerRound = 20_000;
/** A rival takes up to a thousand times as long. */
const rivalMsPerRound = 150;

const sdp = [
  'v=0',
  'o=lobby 2890844526 2890844526 IN IP4 192.0.2.11',
  's=-',
  'c=IN IP4 192.0.2.11',
  't=0 0',
  'm=audio 49170 RTP/AVP 0 8 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-16',
  'a=ptime:20',
  'a=sendrecv',
  '',
].join('\r\n');

const inviteLines = [
  'INVITE sip:porter@house.example SIP/2.0',
  'Via: SIP/2.0/UDP lobby-panel.house.example:5060;branch=z9hG4bK7d1c2f6b9e;rport',
  'Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK776asdhds;received=192.0.2.78',
  'Record-Route: <sip:edge.house.example;lr>',
  'Max-Forwards: 69',
  'From: "Lobby West" <sip:lobby@house.example>;tag=1928301774',
  'To: Porter <sip:porter@house.example>',
  'Call-ID: a84b4c76e66710b2d9f1@lobby-panel.house.example',
  'CSeq: 314159 INVITE',
  'Contact: <sip:lobby@192.0.2.11:5060;transport=udp>',
  'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE',
  'Supported: replaces, 100rel, timer',
  'User-Agent: door panel',
  'Content-Type: application/sdp',
  `Content-Length: ${sdp.length}`,
  '',
  sdp,
];

const registerLines = [
  'REGISTER sip:house.example SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKnashds7;rport',
  'Max-Forwards: 70',
  'From: Lobby <sip:lobby@house.example>;tag=456248',
  'To: Lobby <sip:lobby@house.example>',
  'Call-ID: 843817637684230@192.0.2.11',
  'CSeq: 1827 REGISTER',
  'Contact: <sip:lobby@192.0.2.11:5060;transport=udp>;expires=600',
  'Authorization: Digest username="lobby", realm="house.example", nonce="ea9c8e88df84f1cec4341ae6cbe5a359", opaque="", ' +
    'uri="sip:house.example", response="dfe56131d1958046689d83306477ecc0", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001',
  'User-Agent: door panel',
  'Content-Length: 0',
  '',
  '',
];

const okLines = ['SIP/2.0 200 OK', ...inviteLines.slice(1).map((line) => (line.startsWith('To:') ? `${line};tag=a6c85cf` : line))];

const subjects: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ['INVITE', inviteLines],
  ['200 OK', okLines],
  ['REGISTER', registerLines],
].map(([name, lines]) => [String(name), new TextEncoder().encode([...(lines ?? [])].join('\r\n'))]);

/** CPU time of the message parser and serialiser per message, in this process, and how far npm's parsers are behind in the same run. */
export async function sipMessageRows(): Promise<BenchRow[]> {
  const rivals = await rivalParsers();
  return subjects.flatMap(([name, bytes]) => {
    const message = messageIn(bytes);
    const row = (work: string, value: number, unit: string): BenchRow => ({
      area: 'sip message',
      name: `${name} of ${bytes.length} B, ${work}`,
      value,
      unit,
    });
    const headersOnly = microseconds(() => splitMessage(bytes), timesPerRound);
    const fullParse = microseconds(() => valuesOf(messageIn(bytes)), timesPerRound);
    const theirs = rivals.map(
      ({ name: rival, parse }) =>
        [
          rival,
          microseconds(
            () => parse(bytes),
            timesFor(() => parse(bytes)),
          ),
        ] as const,
    );
    const best = Math.min(...theirs.map(([, figure]) => figure));
    return [
      row('headers only', headersOnly, 'µs'),
      row('full parse', fullParse, 'µs'),
      row(
        'serialise',
        microseconds(() => serializeMessage(message), timesPerRound),
        'µs',
      ),
      ...theirs.map(([rival, figure]) => row(`npm ${rival}`, figure, 'µs')),
      row('full parse ahead of the best npm parser', best / fullParse, '×'),
      row('headers only ahead of the best npm parser', best / headersOnly, '×'),
    ];
  });
}

/** How often it runs in the time of a rival's round. */
function timesFor(run: () => unknown): number {
  let times = 0;
  for (const end = performance.now() + rivalMsPerRound; performance.now() < end; times++) run();
  return times;
}

function messageIn(bytes: Uint8Array): Message {
  const result = parseMessage(bytes);
  if (!result.ok) throw new Error(result.reason);
  return result.message;
}

/** Every value a user agent or a proxy asks for. */
function valuesOf(message: Message): unknown {
  const { from, to, callId, cSeq, vias, contacts, routes, recordRoutes, authorization, contentType } = message;
  return [from.tag, to.tag, callId, cSeq.number, vias.length, contacts.length, routes, recordRoutes, authorization, contentType];
}

/** Median of the rounds after one to warm up. */
function microseconds(run: () => unknown, times: number): number {
  const figures = Array.from({ length: rounds + 1 }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i++) run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / times;
  });
  return median(figures.slice(1));
}
