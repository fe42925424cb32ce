import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const patienceMs = 5_000;

/**
 * Calls at a steady rate to whoever takes them at that port of loopback: how long each waited for its 180, ms. Nothing is sent again, so on a
 * busy machine some datagrams are lost; throws when that is more than a twentieth.
 */
export async function ringingTimesOf(port: number, calls: number, perSecond: number): Promise<number[]> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = socket.address().port;
  const begun: number[] = [];
  const rang: number[] = [];
  let ended = 0;
  const send = (text: string): void => socket.send(text, port, '127.0.0.1');
  socket.on('message', (bytes) => {
    const heard = performance.now();
    const text = bytes.toString('latin1');
    const call = Number(/^Call-ID: *\d+-(\d+)/im.exec(text)?.[1]);
    const method = /^CSeq: *\d+ (\w+)/im.exec(text)?.[1];
    if (method === 'INVITE' && text.startsWith('SIP/2.0 18')) rang[call] ??= heard - (begun[call] ?? Number.NaN);
    else if (method === 'INVITE' && text.startsWith('SIP/2.0 200')) {
      const tag = /^To:.*(;tag=[^;\s]+)/im.exec(text)?.[1] ?? '';
      send(requestOf('ACK', 1, call, tag, own, port));
      send(requestOf('BYE', 2, call, tag, own, port));
    } else if (method === 'BYE' && text.startsWith('SIP/2.0 200')) ended++;
  });
  try {
    const started = performance.now();
    for (let call = 0; call < calls; call++) {
      const ahead = started + (call * 1_000) / perSecond - performance.now();
      if (ahead > 0) await passed(ahead);
      begun[call] = performance.now();
      send(requestOf('INVITE', 1, call, '', own, port));
    }
    for (const until = performance.now() + patienceMs; ended < calls && performance.now() < until; ) await passed(10);
    if (ended < 0.95 * calls) throw new Error(`${calls - ended} of ${calls} calls were not taken`);
    return rang.filter((time) => time !== undefined);
  } finally {
    socket.close();
  }
}

function passed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function requestOf(method: string, sequence: number, call: number, toTag: string, own: number, port: number): string {
  const body = method === 'INVITE' ? offer : '';
  return [
    `${method} sip:callee@127.0.0.1:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${own}-${call}-${method};rport`,
    'Max-Forwards: 70',
    `From: <sip:caller@127.0.0.1:${own}>;tag=f${call}`,
    `To: <sip:callee@127.0.0.1:${port}>${toTag}`,
    `Call-ID: ${own}-${call}`,
    `CSeq: ${sequence} ${method}`,
    `Contact: <sip:caller@127.0.0.1:${own}>`,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

const offer = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n';
