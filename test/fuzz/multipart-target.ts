import { readBodies } from '#firmware/sip/body-parts.ts';
import { HeaderList } from '#firmware/sip/message/headers.ts';
import { Response } from '#firmware/sip/message/message.ts';
import { parseMultipart } from '#firmware/sip/message/multipart.ts';
import { octets } from '#test/vectors/sip-messages.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const boundary = 'b1';
const headers = HeaderList.of([['Content-Type', `multipart/mixed;boundary="${boundary}"`]]);
const sdp = 'v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';

const seeds = [
  `--b1\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--b1\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling=optional\r\n\r\n\x01\x02\r\n--b1--\r\n`,
  `preamble\r\n--b1\r\nContent-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\nContent-Type: text/plain\r\n\r\nhallo\r\n--b2\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--b2--\r\n--b1--\r\nepilogue`,
  '--b1\r\n\r\nno fields\r\n--b1--',
];

/** Bodies in several parts, and parts in parts (RFC 5621). */
export const multipartTarget: FuzzTarget = {
  name: 'multipart',
  seeds: seeds.map(octets),
  words: [
    '\r\n',
    '\n',
    '--b1',
    '--b1--',
    '--b2',
    '\r\n--b1\r\n',
    '\r\n\r\n',
    'Content-Type: ',
    'multipart/mixed;boundary=b1',
    'multipart/alternative;boundary=',
    'Content-Disposition: render;handling=optional',
    'Content-Encoding: gzip',
    'application/sdp',
    '; ',
    '"',
    ':',
    '-',
  ],
  run: (bytes) => {
    read(bytes);
    for (const { content } of parseMultipart(bytes, boundary) ?? []) {
      const isWithin = content.byteOffset >= bytes.byteOffset && content.byteOffset + content.length <= bytes.byteOffset + bytes.length;
      if (content.length > 0 && !isWithin) throw new Error('a part is not within its body');
    }
  },
  read,
};

function read(bytes: Uint8Array): void {
  readBodies(new Response(200, 'OK', headers, bytes));
}
