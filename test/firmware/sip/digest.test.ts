import t from 'tap';
import { Authenticator } from '#firmware/sip/authenticator.ts';
import { answerableChallenges, digestResponse } from '#firmware/sip/digest.ts';
import { type AnsweredAlgorithm, answeredAlgorithms, digestHash } from '#firmware/sip/digest-hash.ts';
import { parseAuth } from '#firmware/sip/message/auth.ts';
import { buildRequest, buildResponse } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { corpusText } from '#test/support/corpus.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

interface Vector {
  readonly source: string;
  readonly computed_response: string;
  readonly alg: string;
  readonly user: string;
  readonly realm: string;
  readonly pw: string;
  readonly meth: string;
  readonly uri: string;
  readonly nonce: string;
  readonly nc?: string;
  readonly cnonce?: string;
  readonly qop?: 'auth' | 'auth-int';
  readonly sess?: boolean;
  readonly body?: string;
}

const published: readonly Vector[] = [
  {
    source: 'RFC 2617 §3.5',
    computed_response: '6629fae49393a05397450978507c4ef1',
    alg: 'MD5',
    user: 'Mufasa',
    realm: 'testrealm@host.com',
    pw: 'Circle Of Life',
    meth: 'GET',
    uri: '/dir/index.html',
    nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
    nc: '00000001',
    cnonce: '0a4f113b',
    qop: 'auth',
  },
  {
    source: 'RFC 7616 §3.9.1 SHA-256',
    computed_response: '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    alg: 'SHA-256',
    user: 'Mufasa',
    realm: 'http-auth@example.org',
    pw: 'Circle of Life',
    meth: 'GET',
    uri: '/dir/index.html',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    nc: '00000001',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    qop: 'auth',
  },
];

function responseOf(vector: Vector, algorithm: AnsweredAlgorithm): string {
  const { nc, cnonce, qop } = vector;
  return digestResponse({
    algorithm,
    sessionKeyed: vector.sess ?? false,
    username: vector.user,
    realm: vector.realm,
    password: vector.pw,
    method: vector.meth,
    uri: vector.uri,
    nonce: vector.nonce,
    qop: qop && nc && cnonce ? { quality: qop, nonceCount: nc, clientNonce: cnonce } : undefined,
    body: new TextEncoder().encode(vector.body ?? ''),
  });
}

t.test('RFC 7616 §3.4.1 responses are those of the published and the collected vectors', async (t) => {
  const collected = corpusText(t, 'vectors/digest.json');
  const utf8 =
    collected === undefined ? '{"vectors":[]}' : new TextDecoder().decode(Uint8Array.from(collected, (one) => one.charCodeAt(0)));
  const { vectors } = JSON.parse(utf8) as { vectors: Vector[] };
  let checked = 0;
  for (const vector of [...published, ...vectors]) {
    const algorithm = answeredAlgorithms.find((known) => known === vector.alg);
    if (!algorithm) continue;
    checked++;
    t.equal(responseOf(vector, algorithm), vector.computed_response, `${vector.source} ${vector.alg} ${vector.qop ?? 'no qop'}`);
  }
  t.ok(checked >= published.length);
});

t.test('RFC 1321 and FIPS 180-4 hashes are right at every length around a block', async (t) => {
  const { createHash } = await import('node:crypto');
  for (let length = 0; length < 200; length++) {
    const text = `${'é'.repeat(length % 5)}${'x'.repeat(length)}`;
    t.equal(digestHash('MD5', text), createHash('md5').update(text).digest('hex'));
    t.equal(digestHash('SHA-256', text), createHash('sha256').update(text).digest('hex'));
    t.equal(digestHash('SHA-512-256', text), createHash('sha512-256').update(text).digest('hex'));
  }
});

const alice = new NameAddr(new SipUri({ user: 'alice', host: 'example.org' }));

function requestOf(method = 'REGISTER'): Request {
  const requestUri = new SipUri({ host: 'example.org' });
  return buildRequest({ method, requestUri, from: alice.withParam('tag', 'a'), to: alice, callId: 'c', sequence: 1 });
}

function challengeTo(request: Request, ...challenges: string[]): Response {
  return buildResponse(request, 401, { toTag: 'b', headers: challenges.map((one) => ['WWW-Authenticate', one] as const) });
}

function parametersOf(request: Request): ReadonlyMap<string, string> {
  return request.authorization[0]?.params ?? new Map();
}

function authenticator(): Authenticator {
  return new Authenticator(seededEntropy(3), { username: 'alice', password: 'secret' });
}

const everyRealm = (): boolean => true;

t.test('RFC 8760 §2.4 the strongest algorithm offered is answered, unknown ones are passed over', async (t) => {
  const texts = ['MD5', 'SHA-512-256', 'SHA-256', 'TOKEN'].map(
    (name) => `Digest realm="r", nonce="${name}", algorithm=${name}, qop="auth"`,
  );
  const values = texts.map((text) => parseAuth(text)).filter((value) => value !== undefined);
  t.same(
    answerableChallenges(values).map(({ nonce }) => nonce),
    ['SHA-512-256', 'SHA-256', 'MD5'],
  );
  const subject = authenticator();
  const request = requestOf();
  t.equal(subject.challenged(request, challengeTo(request, ...texts), new Map(), everyRealm), 'answered');
  const sent = parametersOf(subject.authorize(request));
  t.equal(sent.get('algorithm'), 'SHA-512-256');
  t.equal(sent.get('nonce'), 'SHA-512-256');
});

t.test('RFC 7616 §3.4.3 a server that offers auth-int alone gets the body protected', async (t) => {
  const subject = authenticator();
  const request = requestOf().with({ body: new TextEncoder().encode('v=0\r\n') });
  const challenge = challengeTo(request, 'Digest realm="r", nonce="n", algorithm=SHA-512-256-sess, qop="auth-int"');
  t.equal(subject.challenged(request, challenge, new Map(), everyRealm), 'answered');
  const params = parametersOf(subject.authorize(request));
  t.same([params.get('qop'), params.get('algorithm')], ['auth-int', 'SHA-512-256-sess']);
  const inputs = { username: 'alice', realm: 'r', password: 'secret', method: 'REGISTER', uri: 'sip:example.org', nonce: 'n' };
  const qop = { quality: 'auth-int', nonceCount: '00000001', clientNonce: params.get('cnonce') ?? '' } as const;
  const responseFor = (body: Uint8Array) => digestResponse({ ...inputs, algorithm: 'SHA-512-256', sessionKeyed: true, qop, body });
  t.equal(params.get('response'), responseFor(request.body));
  t.not(params.get('response'), responseFor(new Uint8Array()));
});

t.test('RFC 7616 §3.4 every request with a nonce has the next nonce count and a response that checks', async (t) => {
  const subject = authenticator();
  const request = requestOf();
  subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="n1", opaque="o", qop="auth,auth-int"'), new Map(), everyRealm);
  for (const expected of ['00000001', '00000002', '00000003']) {
    const params = parametersOf(subject.authorize(request));
    t.equal(params.get('nc'), expected);
    t.equal(params.get('opaque'), 'o');
    t.equal(params.get('qop'), 'auth');
    t.notOk(params.has('algorithm'), 'none was named, none is given back');
    const check = digestResponse({
      algorithm: 'MD5',
      username: 'alice',
      realm: 'r',
      password: 'secret',
      method: 'REGISTER',
      uri: 'sip:example.org',
      nonce: 'n1',
      qop: { quality: 'auth', nonceCount: expected, clientNonce: params.get('cnonce') ?? '' },
    });
    t.equal(params.get('response'), check);
  }
});

t.test('RFC 2069 a challenge without qop gets an answer without it', async (t) => {
  const subject = authenticator();
  const request = requestOf();
  subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="n1"'), new Map(), everyRealm);
  const params = parametersOf(subject.authorize(request));
  t.notOk(params.has('qop') || params.has('nc') || params.has('cnonce'));
  t.equal(params.get('response')?.length, 32);
});

t.test('RFC 3261 §22.2 wrong credentials are not sent again; a stale nonce gets one more try', async (t) => {
  const subject = authenticator();
  const request = requestOf();
  const tries = new Map<string, number>();
  t.equal(subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="1"'), tries, everyRealm), 'answered');
  t.equal(subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="2", stale=TRUE'), tries, everyRealm), 'answered');
  t.equal(subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="3", stale=true'), tries, everyRealm), 'rejected');
  t.equal(subject.authorize(request).authorization.length, 0, 'what was rejected is not offered unasked');
  const anew = new Map<string, number>();
  t.equal(subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="4"'), anew, everyRealm), 'answered');
  t.equal(subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="5"'), anew, everyRealm), 'rejected');
});

t.test('RFC 7616 §3.5 nextnonce is used from the next request on, counted from one', async (t) => {
  const subject = authenticator();
  const request = requestOf();
  subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="n1", qop="auth"'), new Map(), everyRealm);
  const first = subject.authorize(request);
  subject.succeeded(first, buildResponse(first, 200, { toTag: 'b', headers: [['Authentication-Info', 'nextnonce="n2"']] }));
  const params = parametersOf(subject.authorize(request));
  t.equal(params.get('nonce'), 'n2');
  t.equal(params.get('nc'), '00000001');
});

t.test('nobody but a trusted realm gets an answer', async (t) => {
  const subject = authenticator();
  const request = requestOf('BYE');
  const challenge = challengeTo(request, 'Digest realm="elsewhere", nonce="1"');
  t.equal(
    subject.challenged(request, challenge, new Map(), (realm) => realm === 'home'),
    'unanswerable',
  );
  t.equal(subject.authorize(request).authorization.length, 0);
});

t.test('credentials for REGISTER are not shown with other requests', async (t) => {
  const subject = authenticator();
  const request = requestOf();
  subject.challenged(request, challengeTo(request, 'Digest realm="r", nonce="n1", qop="auth"'), new Map(), everyRealm);
  t.equal(subject.authorize(requestOf('INVITE')).authorization.length, 0);
  t.equal(subject.authorize(requestOf('REGISTER')).authorization.length, 1);
});
