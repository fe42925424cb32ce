import t from 'tap';
import { base64Of, cryptoLinesOf } from '#firmware/sdp/crypto-attribute.ts';
import type { LocalSecurity } from '#firmware/sdp/media-security.ts';
import { type LocalAudio, OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import { formatSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';
import { localAudio, remote } from './sdp-fixtures.ts';

const ourKey = base64Of(new Uint8Array(30).fill(1));
const ourGcmKey = base64Of(new Uint8Array(28).fill(2));
const theirKey = base64Of(new Uint8Array(30).fill(3));
const theirGcmKey = base64Of(new Uint8Array(28).fill(4));
const cm = `AES_CM_128_HMAC_SHA1_80 inline:${theirKey}`;
const gcm = `AEAD_AES_128_GCM inline:${theirGcmKey}`;
const bytes = (count: number, byte: string) => Array.from({ length: count }, () => byte).join(':');
const theirPrint = `sha-256 ${bytes(32, 'AB')}`;

function secured(changes: Partial<LocalSecurity> = {}): LocalAudio {
  const security: LocalSecurity = {
    required: false,
    offers: 'sdes',
    cryptos: [
      { tag: 1, suite: 'AES_CM_128_HMAC_SHA1_80', key: ourKey, mkiLength: 0 },
      { tag: 2, suite: 'AEAD_AES_128_GCM', key: ourGcmKey, mkiLength: 0 },
    ],
    fingerprint: { hash: 'sha-256', value: bytes(32, '01') },
    ...changes,
  };
  return { ...localAudio, security, rtcpMux: security.offers === 'dtls' };
}

const fresh = () => new OfferAnswer(startOfferAnswer('1'));
const textOf = (description: SessionDescription) => formatSessionDescription(description);
const withCrypto = (transport: string, ...lines: readonly string[]) =>
  remote(`m=audio 4000 ${transport} 0`, ...lines.map((line) => `a=crypto:${line}`));

/** What becomes of an offer of theirs: the answer and what was agreed on, or the reason. */
function answer(offer: SessionDescription, local: LocalAudio) {
  const outcome = fresh().answer(offer, local);
  return outcome.outcome === 'agreed'
    ? { text: textOf(outcome.answer), security: outcome.audio.security, audio: outcome.audio }
    : { reason: outcome.reason };
}

/** What becomes of our offer when they answer so. */
function applied(local: LocalAudio, theirs: SessionDescription) {
  const exchange = fresh();
  exchange.offer(local);
  const outcome = exchange.applyAnswer(theirs);
  return outcome.outcome === 'agreed' ? { security: outcome.audio.security } : { reason: outcome.reason };
}

t.test('RFC 4568 §4 crypto lines: those that cannot be used are passed over, whatever is wrong with them', async (t) => {
  const usable: [string, object][] = [
    [`1 ${cm}`, { tag: 1, suite: 'AES_CM_128_HMAC_SHA1_80', key: theirKey, mkiLength: 0 }],
    [`007 ${cm}|2^31`, { tag: 7 }],
    [`1 ${cm}|1048576`, {}],
    [`1 ${cm}|2^20|1:4`, { mkiLength: 4 }],
    [`1 ${cm}|1:1`, { mkiLength: 1 }],
    [`1  ${cm.replace('inline', 'INLINE')}  KDR=0 WSH=64 -x`, {}],
    [`1 ${gcm}`, { key: theirGcmKey }],
    [`1 ${gcm.replaceAll('=', '')}`, { key: theirGcmKey }],
  ];
  for (const [line, expected] of usable) t.match(cryptoLinesOf([line])[0], expected, line);
  const useless = [
    '',
    '1',
    '1 AES_CM_128_HMAC_SHA1_80',
    `x ${cm}`,
    `-1 ${cm}`,
    `1234567890 ${cm}`,
    `1 F8_128_HMAC_SHA1_80 inline:${theirKey}`,
    `1 __proto__ inline:${theirKey}`,
    `1 AES_CM_128_HMAC_SHA1_80 ${theirKey}`,
    '1 AES_CM_128_HMAC_SHA1_80 inline:',
    `1 AES_CM_128_HMAC_SHA1_80 inline:${theirKey.slice(4)}`,
    `1 AES_CM_128_HMAC_SHA1_80 inline:${theirKey}AAAA`,
    `1 AES_CM_128_HMAC_SHA1_80 inline:${theirKey.slice(0, 39)}*`,
    `1 AES_256_CM_HMAC_SHA1_80 inline:${theirKey}`,
    `1 AES_CM_128_HMAC_SHA1_80 inline:${theirKey}===`,
    `1 ${cm};inline:${theirKey}`,
    `1 ${cm}|2^10`,
    `1 ${cm}|2^49`,
    `1 ${cm}|2^`,
    `1 ${cm}|1:0`,
    `1 ${cm}|1:129`,
    `1 ${cm}|2^31|1:4|x`,
    `1 ${cm} UNENCRYPTED_SRTP`,
    `1 ${cm} UNENCRYPTED_SRTCP`,
    `1 ${cm} UNAUTHENTICATED_SRTP`,
    `1 ${cm} KDR=24`,
    `1 ${cm} FEC_ORDER=FEC_SRTP`,
    `1 ${cm} UNHEARD_OF`,
  ];
  for (const line of useless) t.strictSame(cryptoLinesOf([line]), [], line);
  t.equal(cryptoLinesOf([undefined, `1 ${cm}`, `1 ${gcm}`]).length, 1, 'a tag stands for one line');
  t.equal(cryptoLinesOf(Array.from({ length: 5000 }, (_, tag) => `${tag} ${cm}`)).length, 32);
});

t.test('RFC 4568 §5.1.2 an answer takes the first line of the offer that is to our taste, with its tag', async (t) => {
  const { text, security } = answer(withCrypto('RTP/SAVP', `5 ${gcm}`, `6 ${cm}`), secured());
  t.strictSame(security, { kind: 'sdes', tag: 5, suite: 'AEAD_AES_128_GCM', sendKey: ourGcmKey, receiveKey: theirGcmKey, mkiLength: 0 });
  t.match(text, `m=audio 30000 RTP/SAVP 0`);
  t.match(text, `a=crypto:5 AEAD_AES_128_GCM inline:${ourGcmKey}\r\n`);
  t.notMatch(text, 'AES_CM');
  const second = answer(withCrypto('RTP/SAVPF', '1 F8_128_HMAC_SHA1_80 inline:x', `2 ${cm}`), secured());
  t.match(second, { text: /RTP\/SAVPF/, security: { tag: 2, suite: 'AES_CM_128_HMAC_SHA1_80' } });
});

t.test('policy: what becomes of each offer', async (t) => {
  const off = localAudio;
  const [optional, mandatory] = [secured(), secured({ required: true })];
  const plain = remote('m=audio 4000 RTP/AVP 0');
  const best = withCrypto('RTP/AVP', `1 ${cm}`);
  const strict = withCrypto('RTP/SAVP', `1 ${cm}`);
  const foreign = withCrypto('RTP/SAVP', '1 F8_128_HMAC_SHA1_80 inline:x');
  const sdes = { security: { kind: 'sdes' as const } };
  const cases: [string, LocalAudio, SessionDescription, object][] = [
    ['off, plain', off, plain, { security: undefined }],
    ['off, best effort', off, best, { security: undefined }],
    ['off, secured', off, strict, { reason: 'unsupported-transport' }],
    ['optional, plain', optional, plain, { security: undefined }],
    ['optional, feedback', optional, remote('m=audio 4000 RTP/AVPF 0'), { security: undefined }],
    ['optional, best effort', optional, best, sdes],
    ['optional, secured', optional, strict, sdes],
    ['optional, a suite we have not', optional, foreign, { reason: 'no-common-crypto' }],
    ['mandatory, plain', mandatory, plain, { reason: 'encryption-required' }],
    ['mandatory, best effort', mandatory, best, sdes],
    ['mandatory, secured', mandatory, strict, sdes],
    ['mandatory, no crypto line', mandatory, remote('m=audio 4000 RTP/SAVP 0'), { reason: 'no-common-crypto' }],
    ['mandatory, unheard of', mandatory, withCrypto('udp', `1 ${cm}`), { reason: 'unsupported-transport' }],
  ];
  for (const [name, local, offer, expected] of cases) t.match(answer(offer, local), expected, name);
  t.notMatch(answer(best, off).text, 'crypto');
});

t.test('policy: what we offer, and what becomes of each answer', async (t) => {
  const offered = (local: LocalAudio) => textOf(fresh().offer(local));
  t.match(
    offered(secured()),
    /m=audio 30000 RTP\/AVP [\s\S]*a=crypto:1 AES_CM_128_HMAC_SHA1_80 [\s\S]*a=crypto:2 AEAD_AES_128_GCM /,
    'both at once (RFC 8643)',
  );
  t.match(offered(secured({ required: true })), /m=audio 30000 RTP\/SAVP [\s\S]*a=crypto:1 /);
  t.notMatch(offered(localAudio), 'crypto');
  const cases: [string, LocalAudio, SessionDescription, object][] = [
    ['taken', secured(), withCrypto('RTP/AVP', `2 ${gcm}`), { security: { tag: 2, sendKey: ourGcmKey, receiveKey: theirGcmKey } }],
    ['left', secured(), remote('m=audio 4000 RTP/AVP 0'), { security: undefined }],
    ['mandatory, taken', secured({ required: true }), withCrypto('RTP/SAVP', `1 ${cm}`), { security: { tag: 1, sendKey: ourKey } }],
    ['mandatory, left', secured({ required: true }), remote('m=audio 4000 RTP/AVP 0'), { reason: 'encryption-required' }],
    ['a tag we did not offer', secured({ required: true }), withCrypto('RTP/SAVP', `3 ${cm}`), { reason: 'no-common-crypto' }],
    ['a suite under the tag of another', secured({ required: true }), withCrypto('RTP/SAVP', `2 ${cm}`), { reason: 'no-common-crypto' }],
  ];
  for (const [name, local, theirs, expected] of cases) t.match(applied(local, theirs), expected, name);
});

t.test('RFC 4568 §6 a later offer repeats the key; a new one of theirs takes effect', async (t) => {
  const exchange = fresh();
  const first = exchange.answer(withCrypto('RTP/SAVP', `1 ${cm}`), secured());
  t.match(first, { outcome: 'agreed', audio: { security: { receiveKey: theirKey } } });
  const again = textOf(exchange.offer({ ...secured(), direction: 'sendonly' }));
  t.match(
    again,
    new RegExp(`RTP/SAVP [\\s\\S]*a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${ourKey.replace(/[+/]/g, '.')}`),
    'hold keeps transport and key',
  );
  exchange.withdrawOffer();
  const other = base64Of(new Uint8Array(30).fill(9));
  const rekeyed = exchange.answer(withCrypto('RTP/SAVP', `1 AES_CM_128_HMAC_SHA1_80 inline:${other}`), secured());
  t.match(rekeyed, { outcome: 'agreed', audio: { security: { sendKey: ourKey, receiveKey: other } } });
});

t.test('RFC 5763 §5 a handshake between the media ports: fingerprints, and who begins', async (t) => {
  const local = secured({ offers: 'dtls', required: true });
  const offer = textOf(fresh().offer(local));
  t.match(offer, /m=audio 30000 UDP\/TLS\/RTP\/SAVP /);
  t.match(offer, new RegExp(`a=fingerprint:sha-256 ${bytes(32, '01')}\r\na=setup:actpass\r\na=rtcp-mux\r\n`));
  t.notMatch(offer, 'crypto');
  t.match(textOf(fresh().offer(secured({ offers: 'dtls' }))), /RTP\/AVP [\s\S]*a=fingerprint/, 'best effort');
  const theirs = (setup: string, print = theirPrint, transport = 'UDP/TLS/RTP/SAVP') =>
    remote(`m=audio 4000 ${transport} 0`, `a=fingerprint:${print}`, `a=setup:${setup}`, 'a=tls-id:abc', 'a=rtcp-mux');
  const print = { hash: 'sha-256', value: bytes(32, 'AB') };
  t.match(applied(local, theirs('active')), { security: { kind: 'dtls', role: 'server', fingerprint: print } });
  t.match(applied(local, theirs('passive')), { security: { kind: 'dtls', role: 'client', fingerprint: print } });
  for (const setup of ['actpass', 'holdconn', 'x']) t.match(applied(local, theirs(setup)), { reason: 'no-common-crypto' }, setup);
  const cases: [string, string, string][] = [
    ['actpass', 'client', 'active'],
    ['active', 'server', 'passive'],
    ['passive', 'client', 'active'],
  ];
  for (const [setup, role, ours] of cases) {
    const outcome = answer(theirs(setup, theirPrint.toLowerCase(), 'UDP/TLS/RTP/SAVPF'), secured());
    t.match(outcome, { security: { kind: 'dtls', role, fingerprint: print }, audio: { rtcpMux: true } }, setup);
    t.match(outcome.text, new RegExp(`UDP/TLS/RTP/SAVPF [\\s\\S]*a=setup:${ours}\r\na=rtcp-mux`));
  }
  for (const wrong of ['sha-256 AB', 'md5 AB:CD', `sha-256 ${bytes(32, 'XY')}`, '', `sha-256 ${bytes(32, 'AB')} more`]) {
    t.match(answer(theirs('actpass', wrong), secured()), { reason: 'no-common-crypto' }, wrong);
  }
  t.match(answer(theirs('actpass'), secured({ fingerprint: undefined })), { reason: 'no-common-crypto' }, 'without a certificate of ours');
});

t.test('RFC 8842 §5.5 within a call who is client stays client', async (t) => {
  const exchange = fresh();
  const offer = (setup: string) => remote('m=audio 4000 UDP/TLS/RTP/SAVP 0', `a=fingerprint:${theirPrint}`, `a=setup:${setup}`);
  t.match(exchange.answer(offer('active'), secured()), { audio: { security: { role: 'server' } } });
  t.match(exchange.answer(offer('actpass'), secured()), { audio: { security: { role: 'server' } } });
  t.match(textOf(exchange.offer(secured())), /UDP\/TLS\/RTP\/SAVP [\s\S]*a=setup:actpass/, 'our next offer is of the same kind');
});
