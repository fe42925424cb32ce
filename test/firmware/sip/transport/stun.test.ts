import t from 'tap';
import { answerToBinding, bindingRequest, isStun, parseStun } from '#firmware/sip/transport/stun-message.ts';
import { corpusText } from '#test/support/corpus.ts';

const id = Uint8Array.from({ length: 12 }, (_, i) => 7 * i + 1);
const idText = Buffer.from(id).toString('hex');

/** RFC 5769 §2.2 and §2.3: a response by IPv4 and one by IPv6. */
const samples: readonly (readonly [hex: string, address: string])[] = [
  [
    '0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643' +
      '000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96',
    '192.0.2.1',
  ],
  [
    '010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9' +
      '00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c',
    '2001:db8:1234:5678:11:2233:4455:6677',
  ],
];

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

t.test('RFC 5769 §2.2 the published answers are read: who asked, from where, with a fingerprint that is right', async (t) => {
  for (const [hex, address] of samples) {
    const message = parseStun(bytesOf(hex));
    t.match(message, { kind: 'success', method: 1, transactionId: 'b7e7a701bc34d686fa87dfae', mapped: { address, port: 32_853 } });
    t.same(message?.unknown, []);
  }
  const published = corpusText(t, 'vectors/stun-rfc5769.json');
  const vectors: Record<string, string> = published ? JSON.parse(published).hex : {};
  for (const [name, hex] of Object.entries(vectors)) {
    const message = parseStun(bytesOf(hex));
    t.ok(message, name);
    t.equal(message?.kind, name.startsWith('request') ? 'request' : 'success', name);
  }
  if (vectors.request) t.same(parseStun(bytesOf(vectors.request))?.unknown, [0x0024], 'an attribute of ICE is none of ours');
});

t.test('RFC 8489 §6 what we ask is what we can answer, by both families', async (t) => {
  const request = bindingRequest(id);
  t.equal(Buffer.from(request.subarray(0, 20)).toString('hex'), `000100082112a442${idText}`);
  t.match(parseStun(request), { kind: 'request', method: 1, transactionId: idText, unknown: [] });
  for (const remote of [
    { address: '192.0.2.77', port: 5060 },
    { address: '2001:db8::1', port: 65_535 },
    { address: '::1', port: 1 },
    { address: 'fe80::1:0:0:2', port: 9 },
  ]) {
    const answer = answerToBinding(request, remote);
    t.same(answer && parseStun(answer)?.mapped, remote, remote.address);
  }
  t.equal(
    answerToBinding(answerToBinding(request, { address: '192.0.2.1', port: 1 }) ?? request, { address: '192.0.2.1', port: 1 }),
    undefined,
  );
  t.equal(answerToBinding(request, { address: 'no address', port: 1 }), undefined);
  const demanding = Uint8Array.from([0, 1, 0, 8, ...request.subarray(4, 20), 0, 0x24, 0, 4, 1, 2, 3, 4]);
  const refusal = parseStun(answerToBinding(demanding, { address: '192.0.2.1', port: 1 }) ?? request);
  t.match(refusal, { kind: 'error', errorCode: 420 }, 'RFC 8489 §6.3.1 what must be understood and is not');
});

t.test('RFC 5626 §8 STUN is told from SIP by its first octets', async (t) => {
  t.ok(isStun(bindingRequest(id)));
  for (const text of ['OPTIONS sip:a SIP/2.0\r\n\r\n...', '\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n', '\0'.repeat(40), '']) {
    t.notOk(isStun(new TextEncoder().encode(text)), JSON.stringify(text));
  }
});

t.test('broken STUN is nothing: every prefix, every octet changed', async (t) => {
  for (const [hex] of samples) {
    const whole = bytesOf(hex);
    for (let length = 0; length < whole.length; length++) t.equal(parseStun(whole.subarray(0, length)), undefined);
    for (let at = 0; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      const message = parseStun(changed);
      // All but the name and the padding of the fingerprint itself is under it.
      if (at < whole.length - 8) t.equal(message, undefined, `octet ${at}`);
    }
  }
});
