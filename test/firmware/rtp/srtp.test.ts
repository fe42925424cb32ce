import t from 'tap';
import { type SrtpSuiteName, srtpSuites } from '#firmware/core/srtp-suites.ts';
import { Srtp, type SrtpParameters } from '#firmware/rtp/srtp.ts';
import { deriveSessionKeys } from '#firmware/rtp/srtp-keys.ts';
import { protectionOf } from '#firmware/rtp/srtp-protection.ts';
import { nodeSrtpCiphers } from '#services/media/srtp-ciphers.ts';
import { corpusText } from '#test/support/corpus.ts';

const suites = Object.keys(srtpSuites) as SrtpSuiteName[];

/** Keys that are as good as any. */
function parametersOf(suite: SrtpSuiteName, seed = 1, mkiLength = 0): SrtpParameters {
  const { keyLength, saltLength } = srtpSuites[suite];
  const master = { key: new Uint8Array(keyLength).fill(seed), salt: new Uint8Array(saltLength).fill(seed + 100) };
  return { suite, sendKey: master, receiveKey: master, mkiLength };
}

function pair(suite: SrtpSuiteName, mkiLength = 0): { alice: Srtp; bob: Srtp } {
  const parameters = parametersOf(suite, 1, mkiLength);
  return { alice: new Srtp(parameters, nodeSrtpCiphers), bob: new Srtp(parameters, nodeSrtpCiphers) };
}

function packet(sequence: number, ssrc = 0xcafebabe, payload = 160): Uint8Array {
  const bytes = new Uint8Array(12 + payload).fill(sequence & 0xff, 12);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x8000);
  view.setUint16(2, sequence);
  view.setUint32(4, 160 * sequence);
  view.setUint32(8, ssrc);
  return bytes;
}

/** The packet as it goes over the wire. */
function sealed(srtp: Srtp, bytes: Uint8Array, rtcp = false): Uint8Array {
  const room = new Uint8Array(bytes.length + 24);
  room.set(bytes);
  const length = rtcp ? srtp.protectRtcp(room, bytes.length) : srtp.protectRtp(room, bytes.length);
  return room.slice(0, length);
}

/** What is left of it, or why it is refused. */
function opened(srtp: Srtp, wire: Uint8Array, rtcp = false): string {
  const bytes = wire.slice();
  const outcome = rtcp ? srtp.unprotectRtcp(bytes) : srtp.unprotectRtp(bytes);
  return typeof outcome === 'string' ? outcome : hex(bytes.subarray(0, outcome));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

t.test('RFC 3711 B.2 the key stream of AES in counter mode', async (t) => {
  const salt = unhex('f0f1f2f3f4f5f6f7f8f9fafbfcfd');
  const streams: [SrtpSuiteName, string, string[]][] = [
    [
      'AES_CM_128_HMAC_SHA1_80',
      '2b7e151628aed2a6abf7158809cf4f3c',
      ['e03ead0935c95e80e166b16dd92b4eb4', 'd23513162b02d0f72a43a2fe4a5f97ab', '41e95b3bb0a2e8dd477901e4fca894c0'],
    ],
    // RFC 6188 §7.1.
    [
      'AES_256_CM_HMAC_SHA1_80',
      '57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98',
      ['92bdd28a93c3f52511c677d08b5515a4', '9da71b2378a854f67050756ded165bac', '63c4868b7096d88421b563b8c94c9a31'],
    ],
  ];
  const late: Record<string, string[]> = {
    AES_CM_128_HMAC_SHA1_80: ['ec8cdf7398607cb0f2d21675ea9ea1e4', '362b7c3c6773516318a077d7fc5073ae', '6a2cc3787889374fbeb4c81b17ba6c44'],
    AES_256_CM_HMAC_SHA1_80: ['cea518c90fd91ced9cbb18c078a54711', '3dbc4814f4da5f00a08772b63c6a046d', '6eb246913062a16891433e97dd01a57f'],
  };
  for (const [suite, key, blocks] of streams) {
    const keys = { key: unhex(key), authenticationKey: new Uint8Array(20), salt };
    const protection = protectionOf(srtpSuites[suite], keys, false, nodeSrtpCiphers);
    const length = 16 * 0xff02;
    const bytes = new Uint8Array(length + 24);
    protection.protect(bytes, 0, length, 0, 0, 0, length);
    t.same(
      [0, 1, 2].map((block) => hex(bytes.subarray(16 * block, 16 * (block + 1)))),
      blocks,
      suite,
    );
    t.same(
      [0xfeff, 0xff00, 0xff01].map((block) => hex(bytes.subarray(16 * block, 16 * (block + 1)))),
      late[suite],
      `${suite}, far on`,
    );
  }
});

t.test('RFC 3711 B.3 and RFC 6188 §7.3 keys are derived from the master key', async (t) => {
  const short = deriveSessionKeys(
    srtpSuites.AES_CM_128_HMAC_SHA1_80,
    { key: unhex('e1f97a0d3e018be0d64fa32c06de4139'), salt: unhex('0ec675ad498afeebb6960b3aabe6') },
    'rtp',
    nodeSrtpCiphers,
  );
  t.equal(hex(short.key), 'c61e7a93744f39ee10734afe3ff7a087');
  t.equal(hex(short.salt), '30cbbc08863d8c85d49db34a9ae1');
  t.equal(hex(short.authenticationKey), 'cebe321f6ff7716b6fd4ab49af256a156d38baa4');
  const long = deriveSessionKeys(
    srtpSuites.AES_256_CM_HMAC_SHA1_80,
    { key: unhex('f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6'), salt: unhex('3b04803de51ee7c96423ab5b78d2') },
    'rtp',
    nodeSrtpCiphers,
  );
  t.equal(hex(long.key), '5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4');
  t.equal(hex(long.salt), 'fa31791685ca444a9e07c6c64e93');
  t.equal(hex(long.authenticationKey), 'fd9c32d39ed5fbb5a9dc96b30818454d1313dc05');
});

t.test('RFC 7714 §16, §17 packets of AES-GCM', async (t) => {
  const salt = unhex('517569642070726f2071756f');
  const plain = unhex('8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573');
  const expected: [string, SrtpSuiteName, string][] = [
    [
      '000102030405060708090a0b0c0d0e0f',
      'AEAD_AES_128_GCM',
      'f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce',
    ],
    [
      '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
      'AEAD_AES_256_GCM',
      '32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13',
    ],
  ];
  for (const [key, suite, wire] of expected) {
    const keys = { key: unhex(key), authenticationKey: new Uint8Array(0), salt };
    const bytes = new Uint8Array(plain.length + 16);
    bytes.set(plain);
    const protection = protectionOf(srtpSuites[suite], keys, false, nodeSrtpCiphers);
    protection.protect(bytes, 12, plain.length, 0x5501a0b2, 0xf17b, 0, plain.length);
    t.equal(hex(bytes.subarray(12)), wire, suite);
    const packet = { bytes, bodyStart: 12, bodyEnd: plain.length, tagAt: plain.length, ssrc: 0x5501a0b2, encrypted: true };
    t.equal(protection.unprotect(packet, 0xf17b, 0), true);
    t.same(bytes.subarray(0, plain.length), plain);
  }
  const rtcp = unhex('81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef');
  const keys = { key: unhex('000102030405060708090a0b0c0d0e0f'), authenticationKey: new Uint8Array(0), salt };
  const bytes = new Uint8Array(rtcp.length + 16);
  bytes.set(rtcp);
  protectionOf(srtpSuites.AEAD_AES_128_GCM, keys, true, nodeSrtpCiphers).protect(
    bytes,
    8,
    rtcp.length,
    0x4d617273,
    0x5d4,
    0x800005d4,
    rtcp.length,
  );
  t.equal(
    hex(bytes.subarray(8)),
    '63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade',
  );
});

t.test('whole packets are those of libsrtp', async (t) => {
  const text = corpusText(t, 'vectors/srtp-packets-libsrtp.json');
  const own = `{"vectors":[{"suite":"AES_CM_128_HMAC_SHA1_80","master_key":"e1f97a0d3e018be0d64fa32c06de4139","master_salt":"0ec675ad498afeebb6960b3aabe6",
    "rtp":"800f1234decafbadcafebabeabababababababababababababababab","srtp":"800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    "rtcp":"81c8000bcafebabeabababababababababababababababab","srtcp":"81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"}]}`;
  const { vectors } = JSON.parse(text ?? own) as { vectors: Record<string, string>[] };
  let compared = 0;
  for (const { suite = '', master_key = '', master_salt = '', rtp = '', srtp = '', rtcp, srtcp = '' } of vectors) {
    const name = suites.find((known) => suite.startsWith(known));
    if (!name) {
      t.match(suite, /192/, 'only what nobody offers is left out');
      continue;
    }
    const master = { key: unhex(master_key), salt: unhex(master_salt) };
    const parameters = { suite: name, sendKey: master, receiveKey: master, mkiLength: 0 };
    const alice = new Srtp(parameters, nodeSrtpCiphers);
    const bob = new Srtp(parameters, nodeSrtpCiphers);
    t.equal(hex(sealed(alice, unhex(rtp))), srtp, suite);
    t.equal(opened(bob, unhex(srtp)), rtp, `${suite}, back`);
    if (rtcp) {
      t.equal(hex(sealed(alice, unhex(rtcp), true)), srtcp, `${suite}, RTCP`);
      t.equal(opened(bob, unhex(srtcp), true), rtcp, `${suite}, RTCP back`);
    }
    compared++;
  }
  t.ok(compared >= 1);
});

t.test('§3.3.1 the rollover counter follows the sequence number across its end, both ways', async (t) => {
  for (const suite of suites) {
    const { alice, bob } = pair(suite);
    const wire = [65_533, 65_534, 65_535, 0, 1, 2].map((sequence) => [packet(sequence), sealed(alice, packet(sequence))] as const);
    const order = [0, 1, 3, 2, 5, 4];
    for (const place of order) {
      const [plain, cipher] = wire[place] ?? [new Uint8Array(0), new Uint8Array(0)];
      t.equal(opened(bob, cipher), hex(plain), `${suite}, packet ${place}`);
    }
  }
});

t.test('§3.3.2 a packet that comes again, or too late to tell, is refused', async (t) => {
  const { alice, bob } = pair('AES_CM_128_HMAC_SHA1_80');
  const wire = Array.from({ length: 300 }, (_, sequence) => sealed(alice, packet(sequence)));
  const outcome = (sequence: number) => opened(bob, wire[sequence] ?? new Uint8Array(0));
  t.equal(outcome(0), hex(packet(0)));
  t.equal(outcome(0), 'srtp-replayed');
  t.equal(outcome(200), hex(packet(200)));
  t.equal(outcome(200 - 127), hex(packet(73)), 'late by less than the window');
  t.equal(outcome(73), 'srtp-replayed');
  t.equal(outcome(200 - 128), 'srtp-replayed', 'too old to tell');
  t.equal(outcome(299), hex(packet(299)));
  const late = Array.from({ length: 127 }, (_, place) => 172 + place);
  t.same(
    late.map(outcome),
    late.map((sequence) => (sequence === 200 ? 'srtp-replayed' : hex(packet(sequence)))),
  );
  const report = new Uint8Array(28);
  report.set([0x81, 0xc8, 0, 6, 1, 2, 3, 4]);
  const rtcp = sealed(alice, report, true);
  t.equal(opened(bob, rtcp, true), hex(report));
  t.equal(opened(bob, rtcp, true), 'srtp-replayed');
});

t.test('a packet of which one bit is wrong is refused and changes nothing', async (t) => {
  for (const suite of suites) {
    const { alice, bob } = pair(suite);
    const plain = packet(7, 5, 20);
    const wire = sealed(alice, plain);
    for (let bit = 0; bit < 8 * wire.length; bit++) {
      const forged = wire.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (opened(bob, forged) === hex(plain)) t.fail(`${suite}: bit ${bit} does not matter`);
    }
    t.ok(
      [...wire.keys()].every((length) => opened(bob, wire.slice(0, length)).startsWith('srtp-')),
      `${suite}, cut short`,
    );
    t.equal(opened(bob, wire), hex(plain), suite);
    const report = Uint8Array.of(0x80, 0xc9, 0, 1, 1, 2, 3, 4);
    const rtcp = sealed(alice, report, true);
    for (let bit = 0; bit < 8 * rtcp.length; bit++) {
      const forged = rtcp.slice();
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!opened(bob, forged, true).startsWith('srtp-')) t.fail(`${suite}: bit ${bit} of RTCP does not matter`);
    }
    t.ok(
      [...rtcp.keys()].every((length) => opened(bob, rtcp.slice(0, length), true).startsWith('srtp-')),
      `${suite}, RTCP cut short`,
    );
    t.equal(opened(bob, rtcp, true), hex(report), `${suite}, RTCP`);
  }
});

t.test('§3.2.3 each SSRC counts for itself; a flood of others does not push the peer out', async (t) => {
  const { alice, bob } = pair('AES_CM_128_HMAC_SHA1_80');
  const stranger = new Srtp(parametersOf('AES_CM_128_HMAC_SHA1_80', 9), nodeSrtpCiphers);
  t.equal(opened(bob, sealed(alice, packet(10, 1))), hex(packet(10, 1)));
  const refused = Array.from({ length: 2000 }, (_, place) => opened(bob, sealed(stranger, packet(11, place + 2))));
  t.ok(refused.every((outcome) => outcome === 'srtp-unauthenticated'));
  const other = new Srtp(parametersOf('AES_CM_128_HMAC_SHA1_80'), nodeSrtpCiphers);
  t.equal(opened(bob, sealed(other, packet(3, 77))), hex(packet(3, 77)));
  t.equal(opened(bob, sealed(alice, packet(11, 1))), hex(packet(11, 1)));
});

t.test('a master key identifier in the peer’s packets is passed over', async (t) => {
  for (const suite of suites) {
    const { alice, bob } = pair(suite, 2);
    const { tagLength } = srtpSuites[suite];
    const wire = sealed(alice, packet(1));
    const mki = Uint8Array.of(0, 1);
    const end = suite.startsWith('AEAD') ? wire.length : wire.length - tagLength;
    t.equal(opened(bob, Uint8Array.of(...wire.subarray(0, end), ...mki, ...wire.subarray(end))), hex(packet(1)), suite);
  }
});

t.test('another key in the middle of a call: sources go on in their count, or begin anew', async (t) => {
  const first = parametersOf('AES_CM_128_HMAC_SHA1_80');
  const second = parametersOf('AEAD_AES_128_GCM', 2);
  const alice = new Srtp(first, nodeSrtpCiphers);
  const bob = new Srtp(first, nodeSrtpCiphers);
  for (const sequence of [65_535, 0]) t.equal(opened(bob, sealed(alice, packet(sequence))), hex(packet(sequence)));
  const bobAfter = new Srtp(second, nodeSrtpCiphers, bob);
  t.equal(
    opened(bobAfter, sealed(new Srtp(second, nodeSrtpCiphers, alice), packet(1))),
    hex(packet(1)),
    'the counter is kept, as §3.2.1 wants it',
  );
  const another = new Srtp(second, nodeSrtpCiphers, bob);
  t.equal(opened(another, sealed(new Srtp(second, nodeSrtpCiphers), packet(2))), hex(packet(2)), 'or begins at 0');
  t.equal(opened(another, sealed(alice, packet(3))), 'srtp-unauthenticated', 'the key of before is over');
});

t.test('a receiver that comes into a running call finds the rollover counter', async (t) => {
  const { alice, bob } = pair('AES_CM_128_HMAC_SHA1_80');
  for (let rollover = 0; rollover < 3; rollover++) for (const sequence of [65_000, 100]) sealed(alice, packet(sequence));
  const outcomes = Array.from({ length: 6 }, (_, place) => opened(bob, sealed(alice, packet(200 + place))).startsWith('srtp-'));
  t.same(outcomes, [true, true, false, false, false, false]);
});
