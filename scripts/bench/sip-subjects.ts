/** A kind of message, in variants that differ as the messages of several calls do. */
export interface Subject {
  readonly name: string;
  readonly messages: readonly Uint8Array[];
}

const variants = 64;

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

/** An INVITE of about 1,000 octets, and its 200. */
export function callMessages(): readonly Subject[] {
  return [
    subject('INVITE', (index) => ['INVITE sip:porter@house.example SIP/2.0', ...callLines(index, '')]),
    subject('200 OK', (index) => ['SIP/2.0 200 OK', ...callLines(index, ';tag=a6c85cf')]),
  ];
}

function callLines(index: number, toTag: string): string[] {
  return [
    `Via: SIP/2.0/UDP lobby-panel.house.example:5060;branch=z9hG4bK7d1c2f${word(index, 6)};rport`,
    `Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bK776a${word(index, 4)};received=192.0.2.78`,
    'Record-Route: <sip:edge.house.example;lr>',
    'Max-Forwards: 69',
    `From: "Lobby West" <sip:lobby${index % 10}@house.example>;tag=19283${word(index, 5)}`,
    `To: Porter <sip:porter@house.example>${toTag === '' ? '' : toTag + word(index, 3)}`,
    `Call-ID: a84b4c76e667${word(index, 8)}@lobby-panel.house.example`,
    `CSeq: ${314_100 + index} INVITE`,
    'Contact: <sip:lobby@192.0.2.11:5060;transport=udp>',
    'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE',
    'Supported: replaces, 100rel, timer',
    'User-Agent: door panel',
    'P-Asserted-Identity: "Lobby West" <sip:lobby@house.example>',
    'Content-Type: application/sdp',
    `Content-Length: ${sdp.length}`,
    '',
    sdp,
  ];
}

export function registerMessages(): Subject {
  return subject('REGISTER', (index) => [
    'REGISTER sip:house.example SIP/2.0',
    `Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKnas${word(index, 6)};rport`,
    'Max-Forwards: 70',
    `From: Lobby <sip:lobby@house.example>;tag=456${word(index, 5)}`,
    'To: Lobby <sip:lobby@house.example>',
    `Call-ID: 8438176${word(index, 8)}@192.0.2.11`,
    `CSeq: ${1_800 + index} REGISTER`,
    'Contact: <sip:lobby@192.0.2.11:5060;transport=udp>;expires=600',
    `Authorization: Digest username="lobby", realm="house.example", nonce="ea9c8e88df84f1cec4341ae6${word(index, 8)}", opaque="", ` +
      `uri="sip:house.example", response="dfe56131d1958046689d8330${word(index + 7, 8)}", algorithm=MD5, cnonce="0a4f${word(index, 4)}", ` +
      'qop=auth, nc=00000001',
    'User-Agent: door panel',
    'Content-Length: 0',
    '',
    '',
  ]);
}

function subject(name: string, linesOf: (index: number) => readonly string[]): Subject {
  const messages = Array.from({ length: variants }, (_, index) => new TextEncoder().encode(linesOf(index).join('\r\n')));
  return { name, messages };
}

/** Letters and digits that no other index has in its place. */
function word(index: number, length: number): string {
  return ((index + 1) * 2_654_435_761).toString(36).padStart(length, 'k').slice(-length);
}
