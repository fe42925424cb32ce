/** A message of our own making and what a receiver must think of it. */
export interface MessageVector {
  readonly title: string;
  /** Latin-1, so that any octet can be written; lines end in CRLF. */
  readonly text: string;
  /** `accept`, `drop` (not a word in answer), or the status code of the answer. */
  readonly verdict: 'accept' | 'drop' | number;
}

export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Lines joined by CRLF, the empty line and the body added. */
function message(lines: readonly string[], body = ''): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

const sdp = ['v=0', 'o=lift 1 1 IN IP4 192.0.2.11', 's=-', 'c=IN IP4 192.0.2.11', 't=0 0', 'm=audio 40000 RTP/AVP 0 101', ''].join('\r\n');

const inviteLines = [
  'INVITE sip:porter@house.example SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
  'Via: SIP/2.0/TCP stairs.house.example;branch=z9hG4bKstairs;received=192.0.2.12',
  'Record-Route: <sip:edge.house.example;lr>, <sip:core.house.example;lr>',
  'Max-Forwards: 69',
  'From: "Lobby \\"West\\"" <sip:lobby@house.example>;tag=w3st',
  'To: Porter <sip:porter@house.example>',
  'Call-ID: 5f1c@192.0.2.11',
  'CSeq: 20 INVITE',
  'Contact: <sip:lobby@192.0.2.11:5060;transport=udp>;+sip.instance="<urn:uuid:0c0f>"',
  'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO',
  'Supported: timer, replaces',
  'Subject: somebody at the door',
  'Content-Type: application/sdp',
  `Content-Length: ${sdp.length}`,
];

const optionsLines = [
  'OPTIONS sip:porter@house.example SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKoptions1',
  'Max-Forwards: 70',
  'From: <sip:lobby@house.example>;tag=o1',
  'To: <sip:porter@house.example>',
  'Call-ID: options@192.0.2.11',
  'CSeq: 7 OPTIONS',
  'Content-Length: 0',
];

const okLines = [
  'SIP/2.0 200 OK',
  'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKoptions1',
  'From: <sip:lobby@house.example>;tag=o1',
  'To: <sip:porter@house.example>;tag=p1',
  'Call-ID: options@192.0.2.11',
  'CSeq: 7 OPTIONS',
  'Content-Length: 0',
];

export const invite: string = message(inviteLines, sdp);
export const options: string = message(optionsLines);
export const ok: string = message(okLines);

export const register: string = message([
  'REGISTER sip:house.example SIP/2.0',
  'Via: SIP/2.0/TCP 192.0.2.11:5060;branch=z9hG4bKregister1;alias',
  'Max-Forwards: 70',
  'From: <sip:lobby@house.example>;tag=r1',
  'To: <sip:lobby@house.example>',
  'Call-ID: register@192.0.2.11',
  'CSeq: 3 REGISTER',
  'Contact: <sip:lobby@192.0.2.11:5060>;expires=600;q=0.5, <sip:lobby@[2001:db8::11]:5070>',
  'Authorization: Digest username="lobby", realm="house, \\"example\\"", nonce="n0nce", uri="sip:house.example", response="0123", qop=auth, nc=00000001',
  'Expires: 600',
  'Content-Length: 0',
]);

/** The OPTIONS with the line of that name replaced by others (none: taken away), or with lines added. */
function optionsWith(name: string, ...lines: readonly string[]): string {
  const at = optionsLines.findIndex((line) => line.startsWith(name));
  return message(at < 0 ? [...optionsLines, ...lines] : optionsLines.toSpliced(at, 1, ...lines));
}

function okWith(name: string, ...lines: readonly string[]): string {
  const at = okLines.findIndex((line) => line.startsWith(name));
  return message(at < 0 ? [...okLines, ...lines] : okLines.toSpliced(at, 1, ...lines));
}

export const messageVectors: readonly MessageVector[] = [
  { title: 'an INVITE with a body', text: invite, verdict: 'accept' },
  { title: 'an OPTIONS', text: options, verdict: 'accept' },
  { title: 'a REGISTER with credentials', text: register, verdict: 'accept' },
  { title: 'a response', text: ok, verdict: 'accept' },
  {
    title: '§7.3.3 compact forms, any case, white space around the colon, folded values',
    text: message(
      [
        'MESSAGE sip:porter@house.example SIP/2.0',
        'V \t: SIP / 2.0 / UDP',
        '  192.0.2.11 : 5070 ; branch = z9hG4bKfold ; RPORT',
        'mAX-fORWARDS:   0009',
        'f:"Lobby"<sip:lobby@house.example>',
        '\t;tag=f1',
        't: porter <sip:porter@house.example>',
        'i: fold@192.0.2.11',
        'CSEQ: 0001',
        ' \t MESSAGE',
        's:',
        'c: text/plain',
        'l: 5',
      ],
      'knock',
    ),
    verdict: 'accept',
  },
  { title: '§7.5 empty lines before the start line', text: `\r\n\r\n${options}`, verdict: 'accept' },
  { title: '§18.3 octets after the body of a datagram', text: `${options}INVITE sip:stray@house.example SIP/2.0\r\n`, verdict: 'accept' },
  { title: '§7.1 a method nobody knows', text: options.replaceAll('OPTIONS', "kn0ck-%_!*.`'~"), verdict: 'accept' },
  {
    title: '§19.1.1 any character in a user',
    text: options.replace('sip:porter@', "sip:p0rter;x=1?/,&=+$-_.!~*'()%40%00:pass@"),
    verdict: 'accept',
  },
  {
    title: 'a URI of an unknown scheme',
    text: options.replace('sip:porter@house.example SIP', 'knock:door-3?loud SIP'),
    verdict: 'accept',
  },
  { title: 'a tel URI in To', text: optionsWith('To:', 'To: <tel:+49-30-1234;phone-context=example.org>'), verdict: 'accept' },
  {
    title: 'RFC 2543: no branch, no tag, no Max-Forwards, no Content-Length',
    text: message(
      inviteLines
        .filter((line) => !/^(Max|Content-L|Via: SIP.2.0.TCP)/.test(line))
        .map((line) => line.replace(/;(branch|tag|rport)[^,]*$/, '')),
      sdp,
    ),
    verdict: 'accept',
  },
  { title: 'a branch that is the cookie alone', text: options.replace('z9hG4bKoptions1', 'z9hG4bK'), verdict: 'accept' },
  {
    title: 'an IPv6 reference in Via, received with brackets',
    text: optionsWith('Via:', 'Via: SIP/2.0/UDP [2001:db8::9]:5061;received=[2001:db8::a];branch=z9hG4bKv6'),
    verdict: 'accept',
  },
  {
    title: 'RFC 5118 §4.10: three colons',
    text: options.replace('porter@house.example SIP', 'porter@[2001:db8:::192.0.2.1] SIP'),
    verdict: 'accept',
  },
  {
    title: 'names of JavaScript objects as header and parameter names',
    text: optionsWith('Call', '__proto__: x', 'constructor: y', 'Call-ID: options@192.0.2.11;__proto__=1'),
    verdict: 'accept',
  },
  { title: 'an unknown transport', text: options.replace('SIP/2.0/UDP', 'SIP/2.0/PIGEON'), verdict: 'accept' },
  {
    title: 'a header nobody needs is malformed',
    text: optionsWith('Max', 'Max-Forwards: 70', 'Date: the day before yesterday', 'Expires: 99999999999999'),
    verdict: 'accept',
  },
  {
    title: 'a REGISTER that removes all bindings',
    text: register.replace(/Contact: .*/, 'Contact: *').replace('Expires: 600', 'Expires: 0'),
    verdict: 'accept',
  },
  { title: 'a response without reason phrase', text: okWith('SIP', 'SIP/2.0 200 '), verdict: 'accept' },
  { title: 'a response without a space after its code', text: okWith('SIP', 'SIP/2.0 200'), verdict: 'accept' },
  { title: 'a response with a malformed Contact', text: okWith('none', 'Contact: <sip:>'), verdict: 'accept' },

  { title: 'Via with empty parameters and elements', text: optionsWith('Via:', 'Via: SIP/2.0/UDP 192.0.2.11;;,;,'), verdict: 400 },
  { title: 'Via with port 0', text: options.replace(':5060;', ':0;'), verdict: 400 },
  { title: 'Via with a port too large', text: options.replace(':5060;', ':65536;'), verdict: 400 },
  { title: 'a lower Via that is none', text: optionsWith('Max', 'Via: pigeon', 'Max-Forwards: 70'), verdict: 400 },
  { title: 'Contact with empty parameters', text: optionsWith('none', 'Contact: <sip:a@192.0.2.11>;;;'), verdict: 400 },
  { title: 'a star outside REGISTER', text: optionsWith('none', 'Contact: *'), verdict: 400 },
  { title: 'a star beside another Contact', text: register.replace(/Contact: /, 'Contact: *\r\nContact: '), verdict: 400 },
  {
    title: '§20 headers in a URI without angle brackets',
    text: optionsWith('none', 'Contact: sip:a@192.0.2.11?Route=%3Csip:x%3E'),
    verdict: 400,
  },
  {
    title: '§19.1.1 headers in a Request-URI',
    text: options.replace('house.example SIP', 'house.example?Route=%3Csip:x%3E SIP'),
    verdict: 400,
  },
  {
    title: 'angle brackets around the Request-URI',
    text: options.replace('sip:porter@house.example SIP', '<sip:porter@house.example> SIP'),
    verdict: 400,
  },
  { title: 'white space in the Request-URI', text: options.replace('house.example SIP', 'house.example; lr SIP'), verdict: 400 },
  { title: 'two spaces in the request line', text: options.replace('OPTIONS sip', 'OPTIONS  sip'), verdict: 400 },
  { title: 'a space at the end of the request line', text: options.replace('SIP/2.0\r\n', 'SIP/2.0 \r\n'), verdict: 400 },
  { title: 'an escape that is none', text: options.replace('sip:porter@', 'sip:p%or%zz%4@'), verdict: 400 },
  { title: 'an IPv6 address without brackets', text: options.replace('porter@house.example SIP', '2001:db8::10 SIP'), verdict: 400 },
  { title: 'a quoted string that never ends', text: optionsWith('To:', 'To: "Porter <sip:porter@house.example>'), verdict: 400 },
  {
    title: 'a quoted string whose last quote is escaped',
    text: optionsWith('From:', 'From: "\\\\\\" <sip:lobby@house.example>;tag=o1'),
    verdict: 400,
  },
  {
    title: 'a comma in an unquoted display name',
    text: optionsWith('From:', 'From: Lobby, West <sip:lobby@house.example>;tag=o1'),
    verdict: 400,
  },
  { title: 'white space within angle brackets', text: optionsWith('To:', 'To: < sip:porter@house.example >'), verdict: 400 },
  { title: 'an empty URI', text: optionsWith('From:', 'From: <>;tag=o1'), verdict: 400 },
  { title: '§20.14 Content-Length below zero', text: optionsWith('Content-Length', 'Content-Length: -1'), verdict: 400 },
  { title: 'Content-Length with a sign', text: optionsWith('Content-Length', 'Content-Length: +0'), verdict: 400 },
  { title: 'Content-Length in hexadecimal', text: optionsWith('Content-Length', 'Content-Length: 0x0'), verdict: 400 },
  { title: 'Content-Length of twenty digits', text: optionsWith('Content-Length', 'Content-Length: 18446744073709551616'), verdict: 400 },
  { title: 'Content-Length without a value', text: optionsWith('Content-Length', 'Content-Length:'), verdict: 400 },
  { title: 'Content-Length as a list', text: optionsWith('Content-Length', 'Content-Length: 0, 0'), verdict: 400 },
  { title: 'Content-Length twice', text: optionsWith('Content-Length', 'Content-Length: 0', 'l: 0'), verdict: 400 },
  { title: '§18.3 a body shorter than announced', text: invite.slice(0, -1), verdict: 400 },
  { title: '§8.1.1.5 CSeq of 2^31', text: optionsWith('CSeq', 'CSeq: 2147483648 OPTIONS'), verdict: 400 },
  { title: 'CSeq without a method', text: optionsWith('CSeq', 'CSeq: 7'), verdict: 400 },
  { title: 'CSeq of another method', text: optionsWith('CSeq', 'CSeq: 7 INVITE'), verdict: 400 },
  { title: 'CSeq of another method for a method nobody knows', text: options.replace('OPTIONS sip', 'KNOCK sip'), verdict: 501 },
  { title: '§20.22 Max-Forwards of 256', text: optionsWith('Max', 'Max-Forwards: 256'), verdict: 400 },
  { title: 'Max-Forwards below zero', text: optionsWith('Max', 'Max-Forwards: -1'), verdict: 400 },
  { title: 'no To', text: optionsWith('To:'), verdict: 400 },
  { title: 'no From', text: optionsWith('From:'), verdict: 400 },
  { title: 'no Call-ID', text: optionsWith('Call'), verdict: 400 },
  { title: 'no CSeq', text: optionsWith('CSeq'), verdict: 400 },
  {
    title: '§7.3.1 From twice',
    text: optionsWith('From:', 'From: <sip:lobby@house.example>;tag=o1', 'f: <sip:other@house.example>;tag=o2'),
    verdict: 400,
  },
  {
    title: 'Replaces twice',
    text: optionsWith('none', 'Replaces: a;to-tag=1;from-tag=2', 'Replaces: b;to-tag=1;from-tag=2'),
    verdict: 400,
  },
  { title: 'a header line without a colon', text: optionsWith('Max', 'Max-Forwards: 70', 'knock knock'), verdict: 400 },
  { title: 'a control character before the colon', text: optionsWith('Max', 'Max-Forwards: 70', 'Content-Length\x0b: 5'), verdict: 400 },
  {
    title: 'a line feed alone in a header',
    text: optionsWith('Max', 'Max-Forwards: 70', 'Subject: a\nVia: SIP/2.0/UDP 192.0.2.66'),
    verdict: 400,
  },
  { title: 'a carriage return alone in a header', text: optionsWith('Max', 'Max-Forwards: 70', 'Subject: a\rb'), verdict: 400 },
  { title: 'a NUL in a Call-ID', text: optionsWith('Call', 'Call-ID: opt\0ions'), verdict: 400 },
  { title: 'no empty line after the headers', text: options.slice(0, -2), verdict: 400 },
  { title: '§7.1 another version', text: options.replace('SIP/2.0\r\n', 'SIP/3.0\r\n'), verdict: 505 },
  { title: 'a version that is none', text: options.replace('SIP/2.0\r\n', 'SIP/2.0.1\r\n'), verdict: 400 },
  { title: 'a list without end', text: optionsWith('none', `Contact: <sip:a>${',<sip:a>'.repeat(256)}`), verdict: 400 },
  {
    title: 'lists without end',
    text: optionsWith('none', ...Array.from({ length: 128 }, () => 'm: <sip:a>,<sip:a>,<sip:a>,<sip:a>')),
    verdict: 400,
  },
  { title: 'a header block beyond the limit', text: optionsWith('none', `X: ${'x'.repeat(33_000)}`), verdict: 513 },
  {
    title: 'more header fields than the limit',
    text: optionsWith('none', ...Array.from({ length: 1_100 }, (_, i) => `X-${i}: y`)),
    verdict: 513,
  },
  {
    title: 'a message beyond the limit',
    text: `${optionsWith('Content-Length', 'Content-Length: 65536')}${'x'.repeat(65_536)}`,
    verdict: 513,
  },

  { title: 'nothing at all', text: '', verdict: 'drop' },
  { title: 'RFC 5626 §3.5.1 keep-alive', text: '\r\n\r\n', verdict: 'drop' },
  { title: 'zeros', text: '\0\0\0\0', verdict: 'drop' },
  { title: 'half a request line', text: 'INVITE sip:porter@hou', verdict: 'drop' },
  { title: 'a request line without version', text: options.replace(' SIP/2.0\r\n', '\r\n'), verdict: 'drop' },
  { title: 'HTTP', text: 'GET / HTTP/1.1\r\nHost: porter\r\n\r\n', verdict: 'drop' },
  { title: 'bare carriage returns for line ends', text: options.replaceAll('\r\n', '\r'), verdict: 'drop' },
  { title: 'no Via', text: optionsWith('Via:'), verdict: 'drop' },
  { title: 'an ACK that is malformed', text: optionsWith('To:').replaceAll('OPTIONS', 'ACK'), verdict: 'drop' },
  { title: 'a status code beyond 699', text: okWith('SIP', 'SIP/2.0 700 Over'), verdict: 'drop' },
  { title: 'a status code of ten digits', text: okWith('SIP', 'SIP/2.0 4294967496 OK'), verdict: 'drop' },
  { title: 'a status code below 100', text: okWith('SIP', 'SIP/2.0 099 Under'), verdict: 'drop' },
  { title: 'a response without To', text: okWith('To:'), verdict: 'drop' },
  { title: 'a response with a body shorter than announced', text: okWith('Content-Length', 'Content-Length: 4'), verdict: 'drop' },
  { title: 'a response of another version', text: okWith('SIP', 'SIP/3.0 200 OK'), verdict: 'drop' },
];
