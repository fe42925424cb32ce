import { silentLogger } from '#firmware/core/logger.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { octets } from '#test/vectors/sip-messages.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const flow: Flow = {
  id: 'fuzz',
  transport: 'udp',
  reliable: false,
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.11', port: 5060 },
};
const sdp = 'v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';

/** A request of the call that the user agent is in; `@TAG@` becomes the tag it has given itself. */
function requestOf(method: string, sequence: number, lines: readonly string[], body = ''): string {
  const tag = sequence === 1 ? '' : ';tag=@TAG@';
  return [
    `${method} sip:porter@192.0.2.1 SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK${method}${sequence}`,
    'Max-Forwards: 70',
    'From: <sip:lobby@192.0.2.11>;tag=f1',
    `To: <sip:porter@192.0.2.1>${tag}`,
    'Call-ID: dialog@192.0.2.11',
    `CSeq: ${sequence} ${method}`,
    'Contact: <sip:lobby@192.0.2.11:5060>',
    ...lines,
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

const seeds = [
  requestOf('BYE', 2, ['Reason: Q.850;cause=16;text="done"']),
  requestOf('INVITE', 2, ['Content-Type: application/sdp', 'Supported: timer', 'Session-Expires: 1800;refresher=uac', 'Min-SE: 90'], sdp),
  requestOf('UPDATE', 2, ['Content-Type: application/sdp', 'Supported: timer', 'Session-Expires: 90'], sdp),
  requestOf('INFO', 2, ['Content-Type: application/dtmf-relay'], 'Signal=5\r\nDuration=160\r\n'),
  requestOf('REFER', 2, ['Refer-To: <sip:c@192.0.2.13?Replaces=x%40y%3Bto-tag%3D1%3Bfrom-tag%3D2>', 'Referred-By: <sip:lobby@192.0.2.11>']),
  requestOf(
    'NOTIFY',
    2,
    ['Event: refer', 'Subscription-State: terminated;reason=noresource', 'Content-Type: message/sipfrag;version=2.0'],
    'SIP/2.0 200 OK\r\n',
  ),
  requestOf('PRACK', 2, ['RAck: 1 1 INVITE']),
  requestOf('MESSAGE', 2, ['Content-Type: text/plain'], 'knock'),
  requestOf('OPTIONS', 2, ['Accept: application/sdp', 'Require: 100rel']),
  requestOf('ACK', 1, []).replace('192.0.2.1>\r', '192.0.2.1>;tag=@TAG@\r'),
];

/** Requests within a call: what comes, the user agent bears it, and is done with it in the end. */
export const dialogTarget: FuzzTarget = {
  name: 'dialog',
  seeds: seeds.map(octets),
  words: [
    '\r\n',
    ';',
    ',',
    '"',
    '<',
    '>',
    '@TAG@',
    'INVITE',
    'UPDATE',
    'REFER',
    'BYE',
    'CSeq: 3 ',
    'Replaces: a;to-tag=1;from-tag=2',
    'RAck: ',
    'Session-Expires: 1',
    'Min-SE: 4294967296',
    'Require: timer',
    'm=audio 0 RTP/AVP 0',
    '99999999999',
  ],
  run: (bytes) => {
    const { agent, message } = afterCall(bytes);
    agent.receive(1_000, flow, message);
    settle(agent, 1_000);
    agent.receive(1_001, flow, message);
    settle(agent, 1_001);
    for (let steps = 0; agent.deadline !== undefined && agent.deadline < 300_000; steps++) {
      if (steps > 2_000) throw new Error('the user agent never comes to rest');
      const now = agent.deadline;
      agent.handleTimeout(now);
      settle(agent, now);
    }
  },
  read: (bytes) => {
    const { agent, message } = afterCall(bytes);
    agent.receive(1_000, flow, message);
    settle(agent, 1_000);
  },
};

/** A user agent that has accepted a call, and the message with its tag in it. */
function afterCall(bytes: Uint8Array): { agent: UserAgent; message: Uint8Array } {
  const agent = new UserAgent({
    entropy: seededEntropy(3),
    logger: silentLogger,
    addresses: { towards: () => ({ address: '192.0.2.1', port: 5060 }) },
    settings: { acceptDirectCalls: true },
  });
  agent.receive(0, flow, octets(requestOf('INVITE', 1, ['Content-Type: application/sdp', 'Supported: 100rel, timer, replaces'], sdp)));
  const sent = settle(agent, 0).join('');
  const tag = /^To:.*;tag=([\w.-]+)/im.exec(sent)?.[1];
  if (tag === undefined || !sent.includes('SIP/2.0 200')) throw new Error(`the call was not accepted: ${sent}`);
  agent.receive(1, flow, octets(requestOf('ACK', 1, []).replace('192.0.2.1>\r', `192.0.2.1>;tag=${tag}\r`)));
  settle(agent, 1);
  const text = Buffer.from(bytes).toString('latin1').replaceAll('@TAG@', tag);
  return { agent, message: Buffer.from(text.slice(0, 65_536), 'latin1') };
}

/** Does what the events ask for; gives the texts sent. */
function settle(agent: UserAgent, now: number): string[] {
  const sent: string[] = [];
  for (let outputs = agent.drain(), rounds = 0; outputs.length > 0; outputs = agent.drain(), rounds++) {
    if (rounds > 100) throw new Error('the outputs never end');
    for (const output of outputs) {
      if (output.kind === 'transmit') sent.push(Buffer.from(output.bytes).toString('latin1'));
      else if (output.event.type === 'incoming')
        agent.accept(now, output.event.session, { contentType: 'application/sdp', bytes: octets(sdp) });
      else if (output.event.type === 'reoffered') {
        agent.answerReoffer(now, output.event.session, { body: { contentType: 'application/sdp', bytes: octets(sdp) } });
      }
    }
  }
  return sent;
}
