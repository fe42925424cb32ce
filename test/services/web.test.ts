import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { WebSocket } from 'ws';
import { pageSound } from '#firmware/contract/page-sound.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { ResourceError, UsageError } from '#firmware/core/errors.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { Access, type RequestFacts, TryLimit } from '#services/web/access.ts';
import { Feed, type PageSocket } from '#services/web/feed.ts';
import { startHttpServer } from '#services/web/http-server.ts';
import { type OpenSoundLine, PageSound } from '#services/web/page-sound.ts';

const here: RequestFacts = {
  remoteAddress: '127.0.0.1',
  host: 'localhost:8080',
  origin: undefined,
  authorization: undefined,
  cookie: undefined,
};
const token = 'correct horse battery';

t.test('access without a token is for the machine itself', async (t) => {
  const access = new Access('');
  t.same(access.judge(0, here), { allowed: true });
  t.same(access.judge(0, { ...here, remoteAddress: '::1', host: '[::1]:80' }), { allowed: true });
  t.match(access.judge(0, { ...here, remoteAddress: '::ffff:127.0.0.1', host: '127.0.0.1' }), { allowed: true });
  t.match(access.judge(0, { ...here, remoteAddress: '192.0.2.7' }), { allowed: false, statusCode: 403 });
  t.match(access.judge(0, { ...here, remoteAddress: '127.0.0.1.evil.example' }), { allowed: false });
});

t.test('pages of other sites cannot use the browser of somebody who may', async (t) => {
  const access = new Access('');
  t.match(access.judge(0, { ...here, host: 'rebound.example:8080' }), { statusCode: 403 }, 'DNS rebinding');
  t.match(access.judge(0, { ...here, origin: 'https://evil.example' }), { statusCode: 403 }, 'cross-site');
  t.match(access.judge(0, { ...here, origin: 'null' }), { statusCode: 403 }, 'sandboxed frame');
  t.match(access.judge(0, { ...here, origin: 'http://localhost:8080' }), { allowed: true }, 'its own page');
  const guarded = new Access(token);
  const cookie = `x=1; hookswitch=${encodeURIComponent(token)}`;
  t.match(guarded.judge(0, { ...here, cookie, origin: 'https://evil.example' }), { statusCode: 403 });
  t.match(guarded.judge(0, { ...here, cookie, remoteAddress: '192.0.2.7', host: 'phone.example' }), { allowed: true });
});

t.test('a token is needed from everywhere once one is set, and guessing is slow', async (t) => {
  const access = new Access(token);
  t.match(access.judge(0, here), { statusCode: 401 });
  t.match(access.judge(0, { ...here, authorization: `Bearer ${token}` }), { allowed: true });
  t.match(access.judge(0, { ...here, cookie: 'hookswitch=%E0%A4%A' }), { statusCode: 401 }, 'a cookie that does not decode');
  for (let guess = 0; guess < 9; guess++) t.match(access.judgeToken(1000, '192.0.2.9', `guess ${guess}`), { statusCode: 401 });
  t.match(access.judgeToken(1000, '192.0.2.9', 'the tenth'), { statusCode: 401 });
  t.match(access.judgeToken(1001, '192.0.2.9', token), { statusCode: 429 }, 'even the right one has to wait');
  t.match(access.judgeToken(1001, '192.0.2.10', token), { allowed: true }, 'others need not');
  t.match(access.judgeToken(61_001, '192.0.2.9', token), { allowed: true }, 'a minute later');
});

t.test('ten thousand sources of wrong tokens do not fill the memory', async (t) => {
  const tries = new TryLimit();
  for (let source = 0; source < 10_000; source++) tries.countFailure(0, `source ${source}`);
  for (let guess = 0; guess < 10; guess++) tries.countFailure(0, 'last');
  t.ok(tries.blocks(0, 'last'));
});

/** A phone that answers what the test tells it to and remembers what it was asked. */
function scriptedPhone(answer: (name: string, args: object) => unknown) {
  const asked: { name: string; args: object }[] = [];
  return {
    asked,
    status: { version: 'test' } as PhoneStatus,
    command: async (name: string, args: object) => {
      asked.push({ name, args });
      return answer(name, args);
    },
  };
}

async function serve(
  t: { teardown(step: () => Promise<void>): void },
  phone: ReturnType<typeof scriptedPhone>,
  webToken = '',
  openLine: OpenSoundLine | undefined = undefined,
) {
  const pages = mkdtempSync(join(tmpdir(), 'hookswitch-pages-'));
  t.teardown(async () => rmSync(pages, { recursive: true }));
  writeFileSync(join(pages, 'index.html'), '<!doctype html><title>hookswitch</title>');
  let now = 0;
  const clock = { now: () => now, wallTime: () => 0 };
  const refused: OpenSoundLine = ({ ended }) => {
    ended('there is no sound');
    return { send: () => undefined, end: () => undefined };
  };
  const sound = new PageSound({ allowed: openLine !== undefined, clock, logger: silentLogger, openLine: openLine ?? refused });
  const place = { address: '127.0.0.1', port: 0, pages };
  const server = await startHttpServer({ ...place, token: webToken, phone, sound, clock, logger: silentLogger });
  t.teardown(() => server.stop());
  return { server, origin: `http://127.0.0.1:${server.port}`, pass: (ms: number) => (now += ms) };
}

function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
}

t.test('pages, reading and commands', async (t) => {
  const phone = scriptedPhone((name) => (name === 'call' ? { call: 'c1' } : { version: 'test' }));
  const { origin } = await serve(t, phone);
  const page = await fetch(`${origin}/`);
  t.equal(page.status, 200);
  t.match(page.headers.get('content-security-policy'), /default-src 'self'/);
  t.same(await (await fetch(`${origin}/api/status`)).json(), { version: 'test' });
  t.same(await (await post(`${origin}/api/call`, { target: '600' })).json(), { call: 'c1' });
  t.same(phone.asked.at(-1), { name: 'call', args: { target: '600' } });
  await fetch(`${origin}/api/listSettings?prefix=line.&reveal=true`);
  t.same(phone.asked.at(-1), { name: 'listSettings', args: { prefix: 'line.' } }, 'secrets cannot be revealed from here');
});

t.test('a recording is downloaded portion by portion; what is none is refused before anything is sent', async (t) => {
  const sound = Buffer.from(Array.from({ length: 1000 }, (_, index) => index & 0xff));
  const phone = scriptedPhone((name, args) => {
    const { name: recording, offset } = args as { name: string; offset: number };
    if (name !== 'readRecording' || recording !== 'a.wav') throw new UsageError('unknown-recording', 'there is no such recording');
    return { bytes: sound.subarray(offset, offset + 300).toString('base64'), total: sound.length };
  });
  const { origin } = await serve(t, phone, token);
  const authorization = `Bearer ${token}`;
  t.equal((await fetch(`${origin}/api/recordings/a.wav`)).status, 401);
  const response = await fetch(`${origin}/api/recordings/a.wav`, { headers: { authorization } });
  t.match(Object.fromEntries(response.headers), {
    'content-type': 'audio/wav',
    'content-length': '1000',
    'content-disposition': 'attachment; filename="a.wav"',
  });
  t.ok(Buffer.from(await response.arrayBuffer()).equals(sound));
  t.strictSame(
    phone.asked.map(({ args }) => (args as { offset: number }).offset),
    [0, 300, 600, 900],
  );
  for (const wrong of ['b.wav', '..%2F..%2Fphone.db']) {
    t.equal((await fetch(`${origin}/api/recordings/${wrong}`, { headers: { authorization } })).status, 404, wrong);
  }
});

t.test('bad requests get their 4xx and a reason, never reach the phone', async (t) => {
  const phone = scriptedPhone(() => ({}));
  const { origin } = await serve(t, phone);
  const expected: [Promise<Response>, number][] = [
    [fetch(`${origin}/api/exportSettings`), 404],
    [post(`${origin}/api/exportSettings`, { reveal: true }), 404],
    [post(`${origin}/api/status`, {}), 404],
    [fetch(`${origin}/../../etc/passwd`), 404],
    [fetch(`${origin}/%2e%2e/%2e%2e/package.json`), 404],
    [fetch(`${origin}/api/call`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"target":' }), 400],
    [fetch(`${origin}/api/call`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' }), 400],
    [fetch(`${origin}/api/call`, { method: 'POST', headers: { 'content-type': 'application/xml' }, body: '<a/>' }), 415],
    [post(`${origin}/api/call`, ['600']), 400],
    [post(`${origin}/api/call`, { target: 'x'.repeat(70_000) }), 413],
    [
      fetch(`${origin}/api/call`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"__proto__":{"target":"1"}}',
      }),
      400,
    ],
    [fetch(`${origin}/api/status`, { headers: { origin: 'https://evil.example' } }), 403],
  ];
  for (const [request, status] of expected) {
    const response = await request;
    t.equal(response.status, status, `${response.url} ${status}`);
    t.type(((await response.json()) as { message: string }).message, 'string');
  }
  t.same(phone.asked, []);
});

t.test('what the phone refuses is the caller’s fault, what it cannot do is not', async (t) => {
  const errors: Record<string, Error> = {
    hangup: new UsageError('no-call', 'there is no call'),
    call: new UsageError('invalid-arguments', 'call: target is missing'),
    hold: new UsageError('unknown-call', 'no such call'),
    digit: new ResourceError('phone is not reachable'),
  };
  const { origin } = await serve(
    t,
    scriptedPhone((name) => Promise.reject(errors[name])),
  );
  for (const [name, status] of [
    ['hangup', 409],
    ['call', 400],
    ['hold', 404],
    ['digit', 503],
  ] as const) {
    const response = await post(`${origin}/api/${name}`, {});
    t.equal(response.status, status);
    t.equal(((await response.json()) as { message: string }).message, errors[name]?.message);
  }
});

t.test('an alert is started by its own token; without or with a wrong one it is not', async (t) => {
  const phone = scriptedPhone((_name, args) => {
    if ('token' in args && args.token === 'motion-secret') return { state: 'calling' };
    throw new UsageError('wrong-token', 'the token is wrong');
  });
  const { origin, pass } = await serve(t, phone, token);
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  t.equal((await post(`${origin}/api/alerts/motion`, {})).status, 401);
  t.same(phone.asked, [], 'no token is not even asked about');
  t.equal((await post(`${origin}/api/alerts/motion`, {}, bearer(token))).status, 401, 'the page’s token is another one');
  t.same(await (await post(`${origin}/api/alerts/motion`, {}, bearer('motion-secret'))).json(), { state: 'calling' });
  t.same(await (await post(`${origin}/api/alerts/motion`, { token: 'motion-secret' })).json(), { state: 'calling' });
  for (let guess = 0; guess < 9; guess++) await post(`${origin}/api/alerts/motion`, { token: `guess${guess}` });
  t.equal((await post(`${origin}/api/alerts/motion`, { token: 'motion-secret' })).status, 429);
  pass(60_001);
  t.equal((await post(`${origin}/api/alerts/motion`, { token: 'motion-secret' })).status, 200);
});

t.test('logging in gives a cookie that opens the API', async (t) => {
  const { origin } = await serve(
    t,
    scriptedPhone(() => ({})),
    token,
  );
  t.equal((await fetch(`${origin}/api/status`)).status, 401);
  t.equal((await post(`${origin}/api/login`, { token: 'wrong' })).status, 401);
  const logIn = await post(`${origin}/api/login`, { token });
  const cookie = logIn.headers.get('set-cookie') ?? '';
  t.match(cookie, /HttpOnly; SameSite=Strict/);
  t.equal((await fetch(`${origin}/api/status`, { headers: { cookie: cookie.split(';')[0] ?? '' } })).status, 200);
});

t.test('the feed brings the snapshot at once and every new one', async (t) => {
  const { server, origin } = await serve(
    t,
    scriptedPhone(() => ({})),
  );
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/feed`);
  const [first] = (await once(socket, 'message')) as [Buffer];
  t.same(JSON.parse(String(first)), { status: { version: 'test' } });
  const next = once(socket, 'message') as Promise<[Buffer]>;
  server.publish(undefined);
  t.same(JSON.parse(String((await next)[0])), { status: null }, 'the phone went away');
  socket.close();
  await once(socket, 'close');
});

t.test('a page that does not read is skipped, one too many is turned away', async (t) => {
  const feed = new Feed(() => undefined);
  const closed: number[] = [];
  const pageOf = (bufferedAmount: number): PageSocket & { sent: string[] } => ({
    bufferedAmount,
    sent: [],
    send(text) {
      this.sent.push(text);
    },
    ping: () => undefined,
    close: (code) => closed.push(code),
    terminate: () => undefined,
    on: () => undefined,
  });
  const slow = pageOf(1_000_000);
  feed.add(slow);
  for (let page = 1; page < 32; page++) feed.add(pageOf(0));
  feed.publish(undefined);
  t.equal(slow.sent.length, 1, 'the first snapshot only');
  feed.add(pageOf(0));
  t.same(closed, [1013]);
});

/** The media daemon as the test wants it: every line that was opened, what came by it, and whether it was ended. */
function scriptedLines() {
  const lines: { events: Parameters<OpenSoundLine>[0]; frames: number; ended: boolean }[] = [];
  const open: OpenSoundLine = (events) => {
    const line = { events, frames: 0, ended: false };
    lines.push(line);
    return {
      send: () => {
        line.frames++;
      },
      end: () => {
        line.ended = true;
      },
    };
  };
  return { lines, open };
}

/** A page that asks for the sound, and what it was told. */
async function soundPage(origin: string, query = '', headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/sound${query}`, { headers });
  const told: (string | number)[] = [];
  socket.on('message', (bytes: Buffer, isBinary: boolean) => told.push(isBinary ? bytes.length : String(bytes)));
  socket.on('close', (code) => told.push(code));
  socket.on('error', (error) => told.push(error.message));
  await new Promise((resolve) => socket.once('open', resolve).once('close', resolve));
  const until = async (fits: () => boolean) => {
    for (let looks = 0; !fits() && looks < 500; looks++) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return { socket, told, until };
}

t.test('one page has the sound; a second is told, takes it over when it wants, and what comes after counts for nothing', async (t) => {
  const { lines, open } = scriptedLines();
  const phone = scriptedPhone(() => ({}));
  const { origin } = await serve(t, phone, '', open);
  t.match(await (await fetch(`${origin}/api/sound`)).json(), { allowed: true, page: null });
  t.equal(lines.length, 0, 'nothing is open before somebody asks');
  const first = await soundPage(origin, '?page=one');
  await first.until(() => lines.length === 1);
  lines[0]?.events.begun();
  lines[0]?.events.frame(new Uint8Array(pageSound.frameBytes));
  await first.until(() => first.told.length === 2);
  t.same(first.told, ['{"on":true}', pageSound.frameBytes]);
  t.match(await (await fetch(`${origin}/api/sound`)).json(), { page: '127.0.0.1', counters: { 'frames-out': 1 } });
  const second = await soundPage(origin, '?page=two');
  await second.until(() => second.told.length === 1);
  t.same(second.told, [4001]);
  t.equal(lines.length, 1);
  const third = await soundPage(origin, '?page=two&takeOver=yes');
  await first.until(() => first.told.length === 3);
  t.equal(first.told.at(-1), 4002);
  t.same(
    lines.map(({ ended }) => ended),
    [true, false],
  );
  const back = await soundPage(origin, '?page=two');
  await back.until(() => lines.length === 3);
  t.ok(lines[1]?.ended, 'a page that comes back interrupts itself only');
  third.socket.terminate();
  back.socket.terminate();
  await back.until(() => lines[2]?.ended === true);
  t.match(await (await fetch(`${origin}/api/sound`)).json(), { page: null }, 'gone with its page, at once');
});

t.test('sound of hostile pages: of other lengths, as text, too much, too large, from elsewhere, without a token', async (t) => {
  const { lines, open } = scriptedLines();
  const phone = scriptedPhone(() => ({}));
  const { origin, pass } = await serve(t, phone, token, open);
  t.match((await soundPage(origin)).told, [/401/]);
  t.match((await soundPage(origin, '', { authorization: `Bearer ${token}`, origin: 'https://evil.example' })).told, [/403/]);
  t.equal((await fetch(`${origin}/api/sound`)).status, 401);
  const headers = { authorization: `Bearer ${token}` };
  const counted = async () =>
    ((await (await fetch(`${origin}/api/sound`, { headers })).json()) as { counters: Record<string, number> }).counters;
  const page = await soundPage(origin, '', headers);
  const frame = new Uint8Array(pageSound.frameBytes);
  for (let frames = 0; frames < 200; frames++) page.socket.send(frame);
  for (const odd of ['{"on":true}', new Uint8Array(0), new Uint8Array(639), new Uint8Array(1000)]) page.socket.send(odd);
  await page.until(() => lines[0]?.frames === 50);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(lines[0]?.frames, 50, 'a burst of a second passes, the rest is dropped');
  t.match(await counted(), { 'frames-in': 50, 'frames-too-many': 150, 'messages-wrong': 4 });
  pass(1000);
  for (let frames = 0; frames < 200; frames++) page.socket.send(frame);
  await page.until(() => (lines[0]?.frames ?? 0) >= 100);
  t.equal(lines[0]?.frames, 100, 'and a second later as much again');
  for (let wrong = 0; wrong < 60; wrong++) page.socket.send('no sound');
  await page.until(() => page.told.length > 0);
  t.same(page.told, [4004]);
  t.ok(lines[0]?.ended);
  const large = await soundPage(origin, '', headers);
  large.socket.send(new Uint8Array(100_000));
  await large.until(() => large.told.length > 0);
  t.same(large.told, [1009]);
  await large.until(() => lines[1]?.ended === true);
  t.ok(lines[1]?.ended);
});

t.test('no sound by the setting, none when media is away, none for a page that has fallen silent', async (t) => {
  const phone = scriptedPhone(() => ({}));
  const forbidden = await soundPage((await serve(t, phone)).origin);
  await forbidden.until(() => forbidden.told.length > 0);
  t.same(forbidden.told, [4003]);
  const { lines, open } = scriptedLines();
  const { origin, pass } = await serve(t, phone, '', open);
  const away = await soundPage(origin);
  await away.until(() => lines.length === 1);
  lines[0]?.events.ended('media is away');
  await away.until(() => away.told.length > 0);
  t.same(away.told, [1013], 'it may try again');
  const silent = await soundPage(origin);
  await silent.until(() => lines.length === 2);
  pass(5_000);
  await silent.until(() => silent.told.length > 0);
  t.same(silent.told, [1006]);
  t.ok(lines[1]?.ended, 'the handset has its place back');
});
