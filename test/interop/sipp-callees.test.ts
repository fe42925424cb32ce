import { createHash } from 'node:crypto';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { callOf, isIdle, loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { Sipp, type SippOptions } from '#test/support/sipp.ts';
import { description, learnDialog, pause, request, response, scenario, wait } from '#test/support/sipp-steps.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** The running phone calls, registers, publishes and subscribes at Debian's SIPp (scenarios of ours): what it is to do as caller, with each extension. */

const folder = makeFolder(t);
const loopback = await loopbackSettings(folder);
const here = `127.0.0.1:${loopback['sip.port']}`;
const settings = {
  ...loopback,
  'line.main.aor': `sip:200@${here}`,
  'line.main.register': 'false',
  'phone.callWaiting': 'false',
  'sip.acceptDirectCalls': 'true',
};
const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false });
t.teardown(() => phone.stop());

let runs = 0;
/** SIPp that waits at a port of its own. */
async function start(
  t: Test,
  steps: readonly string[],
  more: Partial<SippOptions> = {},
): Promise<{ sipp: Sipp; port: number; uri: string }> {
  const port = await freePorts(4);
  const options = { folder: join(folder, `sipp-${++runs}`), port, scenario: scenario(...steps), timeoutSeconds: 15, ...more };
  const sipp = await Sipp.start(options);
  t.teardown(() => sipp.stop());
  return { sipp, port, uri: `sip:sipp@127.0.0.1:${port}` };
}

/** The phone calls SIPp; gives all that was said. */
async function call(t: Test, steps: readonly string[], during: () => Promise<void> = async () => {}): Promise<string> {
  const { sipp, uri } = await start(t, steps);
  await dial({ target: uri });
  await during();
  await sipp.succeeded();
  return await sipp.messages();
}

/** The call that is tested: snapshots may be older than it. */
let current = '';
async function dial(call: { target: string; line?: string; intercom?: boolean; hideNumber?: boolean }): Promise<void> {
  current = (await phone.link.command('call', call)).call;
}
const stateOf = ({ calls }: PhoneStatus): string | undefined => calls.find(({ call }) => call === current)?.state;
const is = async (state: string): Promise<void> => void (await phone.until(`the call is ${state}`, (status) => stateOf(status) === state));

/** Ends what is left, and the tone after a call. */
t.afterEach(async () => {
  await phone.hook('offHook');
  await phone.until('it is lifted', ({ hook }) => hook === 'offHook');
  await phone.hook('onHook');
  await phone.until('it is put down', ({ hook }) => hook === 'onHook');
  await Promise.allSettled((phone.status?.calls ?? []).map(({ call }) => phone.link.command('hangup', { call })));
  await phone.until('it is idle', isIdle);
});

const isUp = (): Promise<void> => is('active');
const hangUp = async (): Promise<void> => void (await phone.link.command('hangup', { call: current }));
const accepted = [response('200 OK', { tag: true, body: description(), repeated: true }), wait('ACK')];
const ended = [wait('BYE'), response('200 OK')];
const ok = response('200 OK');

t.test('RFC 3262 §4 an acknowledged 183 with early media: PRACK with its RAck; RFC 3261 §9.1 CANCEL ends it', async (t) => {
  const lines = ['Require: 100rel', 'RSeq: 4711'];
  const messages = await call(
    t,
    [
      wait('INVITE'),
      response('183 Session Progress', { tag: true, lines, body: description() }),
      wait('PRACK'),
      ok,
      wait('CANCEL'),
      ok,
      response('487 Request Terminated', { answers: 'INVITE', repeated: true }),
      wait('ACK'),
    ],
    async () => {
      await phone.until('early media is there', (status) => !['dialing', 'calling', undefined].includes(stateOf(status)));
      await hangUp();
    },
  );
  t.match(messages, /\nRAck: 4711 1 INVITE/);
});

t.test('RFC 3261 §13.2.2.4 forked: early dialogs of two, the first 200 talks, the second gets its ACK and a BYE', async (t) => {
  const messages = await call(
    t,
    [
      wait('INVITE'),
      response('183 Session Progress', { tag: true, fork: 'a', body: description() }),
      response('180 Ringing', { tag: true, fork: 'b' }),
      response('200 OK', { tag: true, fork: 'a', body: description() }),
      response('200 OK', { tag: true, fork: 'b', body: description() }),
      wait('ACK', 'ACK'),
      ...ended,
    ],
    isUp,
  );
  t.match(messages, /BYE [^\r]+\r\n(?:[^\r]+\r\n)*To: [^\r]+sipp1b\r\n/);
  t.match(callOf(phone.status), { state: 'active' });
});

t.test('RFC 3261 §9.1 CANCEL waits for a provisional response; one that a 200 crosses: ACK and BYE', async (t) => {
  const patient = [wait('INVITE'), pause(400), response('180 Ringing', { tag: true }), wait('CANCEL'), ok];
  await call(
    t,
    [...patient, response('487 Request Terminated', { tag: true, answers: 'INVITE', repeated: true }), wait('ACK')],
    async () => {
      await is('calling');
      await hangUp();
    },
  );
  const crossing = [response('200 OK', { tag: true, answers: 'INVITE', body: description(), repeated: true }), wait('ACK'), ...ended];
  await call(t, [wait('INVITE'), response('180 Ringing', { tag: true }), wait('CANCEL'), ok, ...crossing], async () => {
    await is('ringback');
    await hangUp();
  });
});

t.test('RFC 4028 §7.4 a 422 of the callee: called again with its Min-SE; RFC 5373 §4.2 asked to accept by itself', async (t) => {
  const { sipp, uri } = await start(t, [
    wait('INVITE'),
    response('422 Session Interval Too Small', { tag: true, lines: ['Min-SE: 3600'], repeated: true }),
    wait('ACK', 'INVITE'),
    response('200 OK', {
      tag: true,
      lines: ['Require: timer', 'Session-Expires: 3600;refresher=uac'],
      body: description(),
      repeated: true,
    }),
    wait('ACK'),
    ...ended,
  ]);
  await dial({ target: uri, intercom: true });
  await isUp();
  await hangUp();
  await sipp.succeeded();
  t.match(
    await sipp.messages(),
    /\nSession-Expires: 1800\r[\s\S]*\nMin-SE: 3600\r[\s\S]*?\nSession-Expires: 3600|\nSession-Expires: 3600\r\nMin-SE: 3600\r/,
  );
  t.match(await sipp.messages(), /\nAnswer-Mode: Auto/);
});

t.test('RFC 3261 §14.1 a hold that is refused with 491 comes again later', async (t) => {
  const steps = [
    learnDialog('INVITE'),
    ...accepted,
    wait('INVITE'),
    response('491 Request Pending', { repeated: true }),
    wait('ACK', 'INVITE'),
    response('200 OK', { body: description({ version: 2, direction: 'recvonly' }), repeated: true }),
    wait('ACK'),
    request('BYE', { dialog: 'taken' }),
    wait('200'),
  ];
  await call(t, steps, async () => {
    await isUp();
    await phone.link.command('hold', {});
  });
});

t.test('RFC 3261 §8.1.3.4 a 302 leads to where it says, each address once; RFC 3323 §4.1.1.3, RFC 3325 §9.3 hidden number', async (t) => {
  const second = await start(t, [wait('INVITE'), ...accepted, ...ended]);
  const moved = (contact: string): string =>
    response('302 Moved Temporarily', { tag: true, lines: [`Contact: ${contact}`], repeated: true });
  const first = await start(t, [wait('INVITE'), moved(`<${second.uri}>;q=0.5, <sip:sipp@[local_ip]:[local_port]>`), wait('ACK')]);
  await dial({ target: first.uri, hideNumber: true });
  await isUp();
  await hangUp();
  await Promise.all([first.sipp.succeeded(), second.sipp.succeeded()]);
  t.match(await second.sipp.messages(), /\nFrom: "?Anonymous"? <sip:anonymous@anonymous\.invalid>[\s\S]*\nPrivacy: id/);
});

t.test('RFC 3261 §21.5.4 a 503 with Retry-After ends the call; a stranger who asks for a password gets none', async (t) => {
  await call(t, [
    wait('INVITE'),
    response('503 Service Unavailable', { tag: true, lines: ['Retry-After: 30'], repeated: true }),
    wait('ACK'),
  ]);
  const challenge = 'WWW-Authenticate: Digest realm="stranger", nonce="n1", algorithm=MD5, qop="auth"';
  const messages = await call(t, [
    wait('INVITE'),
    response('401 Unauthorized', { tag: true, lines: [challenge], repeated: true }),
    wait('ACK'),
    pause(300),
  ]);
  t.notMatch(messages, /\nAuthorization:/);
});

t.test('RFC 3261 §12.2.1.1 a strict router of the callee gets the ACK and the BYE, a loose one keeps the target in front', async (t) => {
  for (const [route, line] of [
    ['<sip:router@127.0.0.1:[local_port]>', /\nACK sip:router@127\.0\.0\.1:\d+ SIP[\s\S]*?\nRoute: <sip:sipp@/],
    ['<sip:router@127.0.0.1:[local_port];lr>', /\nACK sip:sipp@127\.0\.0\.1:\d+[^\r]* SIP[\s\S]*?\nRoute: <sip:router@[^>]*;lr>/],
  ] as const) {
    const accept = response('200 OK', { tag: true, lines: [`Record-Route: ${route}`], body: description(), repeated: true });
    t.match(
      await call(t, [wait('INVITE'), accept, wait('ACK'), ...ended], async () => {
        await isUp();
        await hangUp();
      }),
      line,
    );
  }
});

t.test('RFC 3428 §4 a text message goes out and is told to have arrived', async (t) => {
  const { sipp, uri } = await start(t, [wait('MESSAGE'), ok]);
  await phone.link.command('message', { target: uri, text: 'Grüße' });
  await sipp.succeeded();
  t.match(await sipp.messages(), /Grüße/);
});

interface Challenged {
  readonly algorithm: string;
  readonly hash: string;
  readonly qop: 'auth' | 'auth-int';
}

/** RFC 7616 §3.4.1, worked out by Node's own hashes. */
function expectedResponse({ algorithm, hash, qop }: Challenged, method: string, credentials: string, body: string): string {
  const h = (text: string): string => createHash(hash).update(text).digest('hex');
  const value = (name: string): string => new RegExp(`[ ,]${name}="?([^",]+)`).exec(credentials)?.[1] ?? '';
  const identity = h(`digest:sipp:secret`);
  const key = algorithm.endsWith('-sess') ? h(`${identity}:${value('nonce')}:${value('cnonce')}`) : identity;
  const request = h(`${method}:${value('uri')}${qop === 'auth-int' ? `:${h(body)}` : ''}`);
  return h(`${key}:${value('nonce')}:${value('nc')}:${value('cnonce')}:${qop}:${request}`);
}

for (const challenged of [
  { algorithm: 'MD5', hash: 'md5', qop: 'auth-int' },
  { algorithm: 'MD5-sess', hash: 'md5', qop: 'auth' },
  { algorithm: 'SHA-256', hash: 'sha256', qop: 'auth-int' },
  { algorithm: 'SHA-512-256', hash: 'sha512-256', qop: 'auth' },
] as const) {
  const { algorithm, qop } = challenged;
  t.test(`RFC 7616 §3.4, RFC 8760 §2.4 digest ${algorithm} with ${qop}, asked for by the proxy of the line`, async (t) => {
    const challenge = `Proxy-Authenticate: Digest realm="sipp", nonce="n-${algorithm}", algorithm=${algorithm}, qop="${qop}"`;
    const { sipp, port } = await start(t, [
      wait('INVITE'),
      response('407 Proxy Authentication Required', { tag: true, lines: [challenge], repeated: true }),
      wait('ACK', 'INVITE'),
      ...accepted,
      ...ended,
    ]);
    const line = {
      'line.proxied.aor': `sip:digest@127.0.0.1:${port}`,
      'line.proxied.register': 'false',
      'line.proxied.password': 'secret',
      'line.proxied.outboundProxy': `sip:127.0.0.1:${port}`,
    };
    await phone.link.command('changeSettings', { set: line, unset: [] });
    await dial({ target: `sip:x@127.0.0.1:${port}`, line: 'proxied' });
    await isUp();
    await hangUp();
    await sipp.succeeded();
    const messages = await sipp.messages();
    const [head, credentials = '', length = ''] = /\nProxy-Authorization: ([^\r]+)\r\n(?:[^\r]+\r\n)*Content-Length: (\d+)\r\n\r\n/.exec(
      messages,
    ) ?? [''];
    const begin = messages.indexOf(head) + head.length;
    const body = messages.slice(begin, begin + Number(length));
    const sent = /response="([0-9a-f]+)"/.exec(credentials)?.[1];
    t.equal(sent, expectedResponse(challenged, 'INVITE', ` ${credentials}`, body));
    await phone.link.command('changeSettings', { set: {}, unset: Object.keys(line) });
  });
}

t.test(
  'RFC 3261 §10.2.8 423: registered for as long as the registrar wants; §10.2.2 and taken back; 503 with Retry-After is honoured',
  async (t) => {
    const brief = await start(t, [
      wait('REGISTER'),
      response('423 Interval Too Brief', { tag: false, lines: ['Min-Expires: 7200'] }),
      wait('REGISTER'),
      response('200 OK', { lines: ['[last_Contact:]', 'Expires: 7200'] }),
      wait('REGISTER'),
      ok,
    ]);
    const busy = await start(t, [wait('REGISTER'), response('503 Service Unavailable', { lines: ['Retry-After: 77'] })]);
    const line = (name: string, port: number) => ({
      [`line.${name}.aor`]: `sip:${name}@127.0.0.1`,
      [`line.${name}.registrar`]: `sip:127.0.0.1:${port}`,
    });
    const lines = { ...line('brief', brief.port), ...line('busy', busy.port) };
    await phone.link.command('changeSettings', { set: lines, unset: [] });
    const of = (name: string) => phone.status?.lines.find(({ line: one }) => one === name)?.registration;
    await phone.until('one is registered', () => of('brief')?.state === 'registered');
    await phone.until('the other waits', () => (of('busy')?.nextInMs ?? 0) > 60_000);
    t.ok((of('busy')?.nextInMs ?? 0) <= 77_000, `again in ${of('busy')?.nextInMs} ms`);
    await phone.link.command('changeSettings', { set: {}, unset: Object.keys(lines) });
    await Promise.all([brief.sipp.succeeded(), busy.sipp.succeeded()]);
    t.match(await brief.sipp.messages(), /\nExpires: 3600\r[\s\S]*\nExpires: 7200\r[\s\S]*\nExpires: 0\r/);
  },
);

t.test('RFC 3842 §3, RFC 6665 §4.1 a mailbox is subscribed to, lights the lamp, and is let go', async (t) => {
  const body = 'Messages-Waiting: yes\nVoice-Message: 2/8';
  const { sipp, port } = await start(t, [
    learnDialog('SUBSCRIBE'),
    response('200 OK', { tag: true, lines: ['Expires: 600'] }),
    request('NOTIFY', {
      dialog: 'taken',
      lines: ['Event: message-summary', 'Subscription-State: active;expires=600'],
      type: 'application/simple-message-summary',
      body,
    }),
    wait('200', 'SUBSCRIBE'),
    response('200 OK', { lines: ['Expires: 0'] }),
    request('NOTIFY', { dialog: 'taken', sequence: 2, lines: ['Event: message-summary', 'Subscription-State: terminated;reason=timeout'] }),
    wait('200'),
  ]);
  const line = {
    'line.mailbox.aor': `sip:mailbox@127.0.0.1:${port}`,
    'line.mailbox.register': 'false',
    'line.mailbox.outboundProxy': `sip:127.0.0.1:${port}`,
    'line.mailbox.subscribeMessages': 'true',
  };
  await phone.link.command('changeSettings', { set: line, unset: [] });
  const waiting = () => phone.status?.lines.find(({ line: one }) => one === 'mailbox')?.messageWaiting;
  await phone.until('messages wait', () => waiting()?.waiting === true);
  t.match(waiting(), { newMessages: 2, oldMessages: 8 });
  await phone.link.command('changeSettings', { set: {}, unset: Object.keys(line) });
  await sipp.succeeded();
});

t.test('RFC 3903 §4.1 presence is published, changed by its entity-tag, and published anew after a 412', async (t) => {
  const stored = (tag: string): string => response('200 OK', { lines: [`SIP-ETag: ${tag}`, 'Expires: 600'] });
  const { sipp, port } = await start(t, [
    wait('PUBLISH'),
    stored('first'),
    wait('PUBLISH'),
    response('412 Conditional Request Failed'),
    wait('PUBLISH'),
    stored('second'),
    wait('PUBLISH'),
    stored('third'),
  ]);
  const line = {
    'line.present.aor': `sip:present@127.0.0.1:${port}`,
    'line.present.register': 'false',
    'line.present.outboundProxy': `sip:127.0.0.1:${port}`,
    'line.present.publishPresence': 'true',
  };
  const answered = async (publications: number): Promise<void> => {
    const count = async () => [...(await sipp.messages()).matchAll(/\nSIP-ETag:|\nSIP\/2\.0 412/g)].length;
    for (let tries = 0; tries < 200 && (await count()) < publications; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await phone.link.command('changeSettings', { set: line, unset: [] });
  await answered(1);
  await phone.link.command('setDoNotDisturb', { on: true, line: undefined });
  await answered(3);
  await phone.link.command('setDoNotDisturb', { on: false, line: undefined });
  await answered(4);
  await phone.link.command('changeSettings', { set: {}, unset: Object.keys(line) });
  await sipp.succeeded();
  const messages = await sipp.messages();
  t.match(messages, /\nSIP-If-Match: first/);
  t.match(messages, /\nSIP-If-Match: second/);
});
