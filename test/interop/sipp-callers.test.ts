import { join } from 'node:path';
import t, { type Test } from 'tap';
import { callOf, isIdle, loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { Sipp, type SippOptions } from '#test/support/sipp.ts';
import { description, pause, request, response, scenario, wait } from '#test/support/sipp-steps.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/**
 * Debian's SIPp calls the running phone (scenarios of ours): what it is to do as callee, with each extension. Calls that ask for it
 * (Answer-Mode) are accepted without a hand. Debian's SIPp has no TLS; tls.test.ts has that, by Kamailio and baresip.
 */

const folder = makeFolder(t);
const loopback = await loopbackSettings(folder);
const here = `127.0.0.1:${loopback['sip.port']}`;
const settings = {
  ...loopback,
  'line.main.aor': `sip:200@${here}`,
  'line.main.register': 'false',
  'line.main.autoAnswer': 'idle',
  'line.main.autoAnswerMuted': 'false',
  'sip.acceptDirectCalls': 'true',
};
const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false });
t.teardown(() => phone.stop());

t.beforeEach(rest);

let rested = true;

let runs = 0;
async function start(t: Test, steps: readonly string[], more: Partial<SippOptions> = {}): Promise<Sipp> {
  const sipp = await Sipp.start({
    folder: join(folder, `sipp-${++runs}`),
    port: await freePorts(4),
    target: here,
    service: '200',
    scenario: scenario(...steps),
    timeoutSeconds: 15,
    ...more,
  });
  t.teardown(() => sipp.stop());
  return sipp;
}

/** Runs a scenario to its end and gives all that was said. */
async function run(t: Test, steps: readonly string[], more?: Partial<SippOptions>): Promise<string> {
  if (!rested) await rest();
  rested = false;
  const sipp = await start(t, steps, more);
  await sipp.succeeded();
  return await sipp.messages();
}

/** Ends what is left, and the tone after a call. */
async function rest(): Promise<void> {
  await phone.hook('offHook');
  await phone.until('it is lifted', ({ hook }) => hook === 'offHook');
  await phone.hook('onHook');
  await phone.until('it is put down', ({ hook }) => hook === 'onHook');
  await Promise.allSettled((phone.status?.calls ?? []).map(({ call }) => phone.link.command('hangup', { call })));
  await phone.until('it is idle', isIdle);
  rested = true;
}

const automatic = 'Answer-Mode: Auto';
const invite = (lines: readonly string[] = [], body = description()): string => request('INVITE', { lines: [automatic, ...lines], body });
const ack = request('ACK', { dialog: 'made' });
const accepted = [wait('100?', '180?', '200'), ack];
const bye = (sequence: number): string => [request('BYE', { sequence, dialog: 'made' }), wait('200')].join('\n');
/** The ACK of a refusal has the branch of its INVITE, so many steps ago. */
const ackRefusal = (sequence: number, steps: number): string => request('ACK', { sequence, branch: `[branch-${steps}]` });
/** A re-INVITE, its answer and the ACK. */
const reInvite = (sequence: number, body: string): string =>
  [request('INVITE', { sequence, dialog: 'made', body }), wait('100?', '200'), request('ACK', { sequence, dialog: 'made' })].join('\n');

t.test('RFC 3261 §11.2 OPTIONS: true capabilities', async (t) => {
  const messages = await run(t, [request('OPTIONS'), wait('200')]);
  t.match(messages, /\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, NOTIFY, REFER, MESSAGE, SUBSCRIBE/);
  t.match(messages, /\nAccept: .*application\/sdp/);
  t.match(messages, /\nSupported: .*100rel.*timer.*replaces/);
});

t.test('RFC 3261 §8.2 what is not understood or wanted: 501, 405, 420, 481, 489, 403, 415', async (t) => {
  const messages = await run(t, [
    request('FROBNICATE'),
    wait('501'),
    request('REGISTER', { sequence: 2 }),
    wait('405'),
    request('OPTIONS', { sequence: 3, lines: ['Require: teleport'] }),
    wait('420'),
    request('BYE', { sequence: 4 }),
    wait('481'),
    request('SUBSCRIBE', { sequence: 5, lines: ['Event: weather'] }),
    wait('489'),
    request('NOTIFY', { sequence: 6, lines: ['Event: message-summary', 'Subscription-State: active'] }),
    wait('403'),
    request('MESSAGE', { sequence: 7, type: 'image/png', body: 'x' }),
    wait('415'),
    request('INFO', { sequence: 8 }),
    wait('481'),
  ]);
  t.match(messages, /\nUnsupported: teleport/);
  t.match(messages, /\nAllow-Events: /);
});

t.test(
  'RFC 3262 §3 an acknowledged 180: RSeq, PRACK answered, 481 to a PRACK of nothing; RFC 3261 §9.2 CANCEL then ends in 487',
  async (t) => {
    const rack =
      '<recv response="180" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="rseq"/></action></recv>';
    const messages = await run(t, [
      request('INVITE', { lines: ['Require: 100rel'], body: description() }),
      wait('100?'),
      rack,
      request('PRACK', { sequence: 2, dialog: 'made', lines: ['RAck: 4711 1 INVITE'] }),
      wait('481'),
      request('PRACK', { sequence: 3, dialog: 'made', lines: ['RAck: [$rseq] 1 INVITE'] }),
      wait('200'),
      request('CANCEL', { branch: '[branch-7]' }),
      wait('200', '487'),
      ackRefusal(1, 10),
    ]);
    t.match(messages, /180 Ringing[\s\S]*?\nRequire: 100rel/);
  },
);

t.test(
  'RFC 4028 §9 too brief a session timer: 422 with Min-SE, then granted; RFC 3311 §5.2 UPDATE with and without an offer',
  async (t) => {
    const timer = ['Supported: timer', 'Session-Expires: 90;refresher=uac'];
    const messages = await run(t, [
      invite(['Supported: timer', 'Session-Expires: 30']),
      wait('100?', '422'),
      ackRefusal(1, 3),
      request('INVITE', { sequence: 2, lines: [automatic, ...timer], body: description() }),
      wait('100?', '180?', '200'),
      request('ACK', { sequence: 2, dialog: 'made' }),
      request('UPDATE', { sequence: 3, dialog: 'made', lines: timer }),
      wait('200'),
      request('UPDATE', { sequence: 4, dialog: 'made', lines: timer, body: description({ version: 2 }) }),
      wait('200'),
      request('UPDATE', { sequence: 5, dialog: 'made', lines: ['Supported: timer', 'Session-Expires: 60'] }),
      wait('422'),
      bye(6),
    ]);
    t.match(messages, /422 Session Interval Too Small[\s\S]*?\nMin-SE: 90/);
    t.match(messages, /CSeq: 3 UPDATE\r\n(?!.*m=audio)[\s\S]*?Session-Expires: 90;refresher=uac/);
    t.match(messages, /SIP\/2\.0 200 OK(?:\r\n[^\r]+)*\r\nCSeq: 4 UPDATE[\s\S]*?m=audio/);
  },
);

t.test('RFC 3264 §8.4 hold by sendonly, inactive and 0.0.0.0, each answered as it must; RFC 3261 §14.2 and back', async (t) => {
  const messages = await run(t, [
    invite(),
    ...accepted,
    reInvite(2, description({ version: 2, direction: 'sendonly' })),
    reInvite(3, description({ version: 3, direction: 'inactive' })),
    reInvite(4, description({ version: 4, address: '0.0.0.0' })),
    reInvite(5, description({ version: 5 })),
    bye(6),
  ]);
  const answers = messages.split(/^-{20,}/m).filter((entry) => /received[\s\S]*SIP\/2\.0 200[\s\S]*CSeq: \d INVITE/.test(entry));
  const directions = answers.map((answer) => /\na=(sendrecv|sendonly|recvonly|inactive)/.exec(answer)?.[1] ?? 'sendrecv');
  t.same(
    [...new Map(answers.map((answer, index) => [/CSeq: (\d)/.exec(answer)?.[1], directions[index]])).values()],
    ['sendrecv', 'recvonly', 'inactive', 'recvonly', 'sendrecv'],
  );
});

t.test('RFC 3261 §14.1 glare: a re-INVITE that crosses the phone’s is refused with 491', async (t) => {
  const sipp = await start(t, [
    invite(),
    ...accepted,
    wait('INVITE'),
    request('INVITE', { sequence: 2, dialog: 'made', body: description({ version: 2 }) }),
    wait('100?', '491'),
    request('ACK', { sequence: 2, dialog: 'made', branch: '[branch-3]' }),
  ]);
  await phone.until('the call is up', (status) => callOf(status)?.state === 'active');
  await phone.link.command('hold', {});
  await sipp.succeeded();
  t.match(await sipp.messages(), /SIP\/2\.0 491 Request Pending/);
  await rest();
});

t.test('RFC 3515 §2.4 REFER: 603 to what cannot be called, else 202, NOTIFY how it goes; RFC 3892 §2.1 Referred-By goes on', async (t) => {
  const target = await freePorts(4);
  const callee = await start(
    t,
    // By then the phone has held us.
    [wait('INVITE'), pause(700), response('200 OK', { tag: true, body: description() }), wait('ACK')],
    { port: target },
  );
  const messages = await run(t, [
    invite(),
    ...accepted,
    request('REFER', { sequence: 2, dialog: 'made', lines: ['Refer-To: mailto:x@y.invalid'] }),
    wait('603'),
    request('REFER', {
      sequence: 3,
      dialog: 'made',
      lines: [`Refer-To: <sip:x@127.0.0.1:${target}>`, 'Referred-By: <sip:boss@127.0.0.1>'],
    }),
    wait('202', 'NOTIFY'),
    response('200 OK'),
    // The phone holds us before it calls whom we named.
    wait('INVITE'),
    response('200 OK', { body: description({ version: 2, direction: 'recvonly' }) }),
    wait('ACK', 'NOTIFY'),
    response('200 OK'),
    bye(4),
  ]);
  await callee.succeeded();
  t.match(await callee.messages(), /\nReferred-By: <sip:boss@127\.0\.0\.1>/);
  t.match(messages, /Subscription-State: active/);
  t.match(messages, /Subscription-State: terminated;reason=noresource[\s\S]*SIP\/2\.0 200 OK/);
});

t.test('RFC 3891 §3 Replaces: the new call takes the place of the old one, 481 when there is none', async (t) => {
  const old = await start(t, [invite(), ...accepted, wait('BYE'), response('200 OK')]);
  await phone.until('the call is up', (status) => callOf(status)?.state === 'active');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const [, sipp = '', callId = ''] = /From: [^\n]*;tag=([^\r\n]+)[\s\S]*?Call-ID: ([^\r\n]+)/.exec(await old.messages()) ?? [];
  const ours = /SIP\/2\.0 200[\s\S]*?\nTo: [^\n]*;tag=([^\r\n]+)/.exec(await old.messages())?.[1] ?? '';
  await run(t, [
    request('INVITE', { lines: ['Require: replaces', 'Replaces: nobody@nowhere;to-tag=1;from-tag=2'], body: description() }),
    wait('100?', '481'),
    ackRefusal(1, 3),
    request('INVITE', { sequence: 2, lines: [`Replaces: ${callId};to-tag=${ours};from-tag=${sipp}`], body: description() }),
    wait('100?', '180?', '200'),
    request('ACK', { sequence: 2, dialog: 'made' }),
    pause(200),
    bye(3),
  ]);
  await old.succeeded();
  await rest();
});

t.test('RFC 3428 §7, 3994 §3 a text message and that somebody writes: 200; a type nobody reads: 415', async (t) => {
  const writing = `<?xml version="1.0"?><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state><refresh>60</refresh></isComposing>`;
  await run(t, [
    request('MESSAGE', { type: 'application/im-iscomposing+xml', body: writing }),
    wait('200'),
    request('MESSAGE', { sequence: 2, type: 'text/plain', body: 'Grüße von SIPp' }),
    wait('200'),
    request('MESSAGE', { sequence: 3, type: 'application/pdf', body: '%PDF' }),
    wait('415'),
  ]);
  const { texts } = await phone.link.command('texts', {});
  t.match(texts.at(-1), { text: /Grüße von SIPp/ });
});

t.test('RFC 6086 §4.2 INFO packages: ours is taken, another gets 469 with Recv-Info; a legacy digit too', async (t) => {
  const messages = await run(t, [
    invite(['Recv-Info: infoDtmf']),
    ...accepted,
    request('INFO', {
      sequence: 2,
      dialog: 'made',
      lines: ['Info-Package: infoDtmf'],
      type: 'application/dtmf-relay',
      body: 'Signal=5\nDuration=160',
    }),
    wait('200'),
    request('INFO', { sequence: 3, dialog: 'made', lines: ['Info-Package: weather'], type: 'text/plain', body: 'sunny' }),
    wait('469'),
    request('INFO', { sequence: 4, dialog: 'made', type: 'application/dtmf', body: '6' }),
    wait('200'),
    bye(5),
  ]);
  t.match(messages, /469 Bad Info Package[\s\S]*?\nRecv-Info: infoDtmf/);
});

t.test('RFC 5373 §4 who asks for it is accepted by itself, by each way of asking; required where it may not be: refused', async (t) => {
  for (const line of [automatic, 'Call-Info: <sip:x@127.0.0.1>;answer-after=0', 'Alert-Info: <http://127.0.0.1>;info=alert-autoanswer']) {
    await run(t, [request('INVITE', { lines: [line], body: description() }), ...accepted, bye(2)]);
  }
  await phone.link.command('changeSettings', { set: { 'line.main.autoAnswer': 'off' }, unset: [] });
  await run(t, [
    request('INVITE', { lines: ['Require: answermode', 'Answer-Mode: Auto;require'], body: description() }),
    wait('100?', '403'),
    ackRefusal(1, 3),
  ]);
  await phone.link.command('changeSettings', { set: { 'line.main.autoAnswer': 'idle' }, unset: [] });
});

t.test('RFC 5621 §8 multipart: an ISUP part is passed over when that is allowed, and 415 when it is required', async (t) => {
  const parts = (handling: string): string =>
    [
      '--cut\nContent-Type: application/sdp\n',
      description(),
      `--cut\nContent-Type: application/isup;version=itu-t92+\nContent-Disposition: signal;handling=${handling}\n`,
      'isup',
      '--cut--',
    ].join('\n');
  const messages = await run(t, [
    request('INVITE', { lines: [automatic, 'MIME-Version: 1.0'], type: 'multipart/mixed;boundary=cut', body: parts('required') }),
    wait('100?', '415'),
    ackRefusal(1, 3),
    request('INVITE', {
      sequence: 2,
      lines: [automatic, 'MIME-Version: 1.0'],
      type: 'multipart/mixed;boundary=cut',
      body: parts('optional'),
    }),
    wait('100?', '180?', '200'),
    request('ACK', { sequence: 2, dialog: 'made' }),
    bye(3),
  ]);
  t.match(messages, /415 [\s\S]*?\nAccept: application\/sdp/);
});

t.test(
  'RFC 3323 §4.1, RFC 3325 §9.1 the nameless are refused with 433 where that is set; what a stranger asserts counts for nothing',
  async (t) => {
    await phone.link.command('changeSettings', { set: { 'line.main.rejectAnonymous': 'true' }, unset: [] });
    await run(t, [
      request('INVITE', { from: '"Anonymous" <sip:anonymous@anonymous.invalid>', lines: ['Privacy: id', automatic], body: description() }),
      wait('100?', '433'),
      ackRefusal(1, 3),
    ]);
    await phone.link.command('changeSettings', { set: { 'line.main.rejectAnonymous': 'false' }, unset: [] });
    const sipp = await start(t, [
      request('INVITE', { lines: ['P-Asserted-Identity: <sip:president@127.0.0.1>', automatic], body: description() }),
      ...accepted,
      wait('BYE'),
      response('200 OK'),
    ]);
    const status = await phone.until('the call is up', (now) => callOf(now)?.state === 'active');
    t.match(callOf(status)?.remote.uri, /^sip:sipp@/);
    await rest();
    await sipp.succeeded();
  },
);

t.test('RFC 3264 §5 an INVITE without an offer: ours in the 200, theirs in the ACK; RFC 3261 §15.1 BYE while it rings: 487', async (t) => {
  await run(t, [
    request('INVITE', { lines: [automatic] }),
    wait('100?', '180?', '200'),
    request('ACK', { dialog: 'made', body: description() }),
    bye(2),
  ]);
  await run(t, [
    request('INVITE', { body: description() }),
    wait('100?', '180'),
    request('BYE', { sequence: 2, dialog: 'made' }),
    wait('200', '487'),
    ackRefusal(1, 6),
  ]);
});
