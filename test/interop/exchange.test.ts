import { join } from 'node:path';
import t from 'tap';
import { Baresip } from '#test/support/baresip.ts';
import { startExchangeProcess } from '#test/support/exchange-process.ts';
import { theirSpeech } from '#test/support/interop-house.ts';
import { kamailioPassword, kamailioRealm } from '#test/support/kamailio.ts';
import { Sipp } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';

/** The built exchange with Debian's SIPp and baresip, which know MD5 alone and fail when more is offered. */

const sdp = `v=0
o=sipp 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000`;

function scenario(steps: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="exchange">\n${steps.join('\n')}\n</scenario>\n`;
}

function send(lines: string, body = '', retransmit = true): string {
  const content = body === '' ? '' : 'Content-Type: application/sdp\n';
  return `<send${retransmit ? ' retrans="500"' : ''}><![CDATA[\n${lines}\n${content}Content-Length: [len]\n\n${body}\n]]></send>`;
}

function request(method: string, user: string, called: string, sequence: number, more = ''): string {
  const place = '[remote_ip]:[remote_port]';
  const to = method === 'ACK' || method === 'BYE' ? '[peer_tag_param]' : '';
  const target = called.startsWith('[') ? called : `sip:${called}${place}`;
  const name = called.startsWith('[') ? '[service]@' : called === '' ? `${user}@` : called;
  return [
    `${method} ${target} SIP/2.0`,
    'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
    `From: <sip:${user}@${place}>;tag=[pid]t[call_number]`,
    `To: <sip:${name}${place}>${to}`,
    'Call-ID: [call_id]',
    `CSeq: ${sequence} ${method}`,
    'Max-Forwards: 70',
    `Contact: <sip:${user}@[local_ip]:[local_port];transport=[transport]>${more === '' ? '' : `\n${more}`}`,
  ].join('\n');
}

function response(line: string): string {
  return `SIP/2.0 ${line}\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]u[call_number]\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port];transport=[transport]>`;
}

const ok = 'SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]';

function registration(user: string): string {
  const credentials = `[authentication username=${user} password=${user}-password]\nExpires: 600`;
  return scenario([
    send(request('REGISTER', user, '', 1, 'Expires: 600')),
    '<recv response="401" auth="true"/>',
    send(request('REGISTER', user, '', 2, credentials)),
    '<recv response="200"/>',
  ]);
}

/** An INVITE with credentials, up to its 200. */
function calling(user: string, called: string, offer: string): string[] {
  return [
    send(request('INVITE', user, `${called}@`, 1), offer),
    '<recv response="407" auth="true"/>',
    // §17.1.1.3 the ACK of a refusal has the branch of its INVITE, which was two steps ago.
    send(request('ACK', user, `${called}@`, 1).replace('[branch]', '[branch-2]'), '', false),
    send(request('INVITE', user, `${called}@`, 2, `[authentication username=${user} password=${user}-password]`), offer),
    '<recv response="100" optional="true"/>',
    '<recv response="180" optional="true"/>',
    '<recv response="200" rrs="true"/>',
  ];
}

t.test('SIPp and the exchange, over UDP and TCP', async (t) => {
  const { port, folder, link } = await startExchangeProcess(t, ['anna', 'bert'], { digest: 'md5' });
  const target = `127.0.0.1:${port}`;
  const run = async (
    name: string,
    text: string,
    options: { port?: number; transport?: 'u1' | 't1'; service?: string } = {},
  ): Promise<Sipp> => {
    const own = options.port ?? (await freePorts(4));
    const sipp = await Sipp.start({ folder: join(folder, name), target, scenario: text, ...options, port: own });
    t.teardown(() => sipp.stop());
    return sipp;
  };
  const bindings = async (user: string) => (await link.command('status', {})).users.find((one) => one.user === user)?.bindings;

  for (const transport of ['u1', 't1'] as const) {
    const own = await freePorts(4);
    await (await run(`register-${transport}`, registration('bert'), { port: own, transport })).succeeded();
    t.match((await bindings('bert'))?.at(0), { contact: new RegExp(`sip:bert@127.0.0.1:${own}`), expiresInSeconds: Number }, transport);
  }

  const greeting = scenario([
    ...calling('anna', '601', ''),
    send(request('ACK', 'anna', '[next_url]', 2, '[routes]'), sdp, false),
    '<recv request="BYE" timeout="12000"/>',
    send(ok, '', false),
  ]);
  await (await run('greeting', greeting, { service: '601' })).succeeded();
  const [call] = (await link.command('status', {})).extensionCalls;
  t.match(call, { extension: '601', state: 'ended', packetsSent: Number }, 'the greeting takes its answer from the ACK');
  t.ok((call?.packetsSent ?? 0) > 250);

  const own = await freePorts(4);
  await (await run('register-callee', registration('bert'), { port: own })).succeeded();
  const callee = scenario([
    '<recv request="INVITE"/>',
    send(response('180 Ringing'), '', false),
    send(response('200 OK'), sdp),
    '<recv request="ACK"/>',
    '<recv request="BYE"/>',
    send(ok, '', false),
  ]);
  const phone = await run('callee', callee, { port: own });
  const caller = scenario([
    ...calling('anna', 'bert', sdp),
    send(request('ACK', 'anna', '[next_url]', 2, '[routes]'), '', false),
    '<pause milliseconds="200"/>',
    send(request('BYE', 'anna', '[next_url]', 3, '[routes]')),
    '<recv response="200"/>',
  ]);
  await (await run('caller', caller, { service: 'bert' })).succeeded();
  await phone.succeeded();
  t.match(await phone.messages(), /Record-Route: <sip:relay-/);
  const { transactions, counters } = await link.command('status', {});
  t.equal(transactions, 0);
  t.equal(counters['ack-stray'], undefined, 'every ACK found its way');
});

t.test('two baresips call each other, nobody, and the echo test', async (t) => {
  const { port, folder, link } = await startExchangeProcess(t, [], { domains: kamailioRealm, digest: 'md5' });
  const phones: Baresip[] = [];
  for (const [user, answer] of [
    ['201', 'manual'],
    ['202', 'auto'],
  ] as const) {
    await link.command('setUser', { user, password: kamailioPassword(user) });
    const own = await freePorts(24);
    const phone = await Baresip.start({ folder: join(folder, user), user, port: own, proxyPort: port, speech: theirSpeech, answer });
    t.teardown(() => phone.stop());
    phones.push(phone);
  }
  const [caller, callee] = phones;
  if (!caller || !callee) return;
  caller.command('dial', `sip:202@${kamailioRealm}`);
  await caller.saw('CALL_ESTABLISHED');
  await callee.saw('CALL_ESTABLISHED');
  caller.command('hangup');
  await callee.saw('CALL_CLOSED');

  caller.forget();
  caller.command('dial', `sip:nobody@${kamailioRealm}`);
  t.match((await caller.saw('CALL_CLOSED')).param, /404/);

  caller.command('dial', `sip:600@${kamailioRealm}`);
  await caller.saw('CALL_ESTABLISHED');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  caller.command('hangup');
  await caller.saw('CALL_CLOSED');
  const [call] = (await link.command('status', {})).extensionCalls;
  t.ok((call?.packetsReceived ?? 0) > 80, `${call?.packetsReceived} packets heard`);
  t.ok((call?.packetsSent ?? 0) >= (call?.packetsReceived ?? 0) - 1, `${call?.packetsSent} sent back`);
  t.match(call?.from, /201@/);
});
