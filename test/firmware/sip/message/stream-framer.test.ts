import fc from 'fast-check';
import t from 'tap';
import { type Framed, StreamFramer } from '#firmware/sip/message/stream-framer.ts';
import { invite, octets, options, register } from '#test/vectors/sip-messages.ts';

/** What came, in short; messages as text. */
function told(framed: readonly Framed[]): string[] {
  return framed.map((one) => {
    if (one.type === 'message') return new TextDecoder('latin1').decode(one.bytes);
    return one.type === 'fatal' ? `fatal ${one.failure.reason} ${one.failure.statusCode}` : one.type;
  });
}

function feed(framer: StreamFramer, ...texts: readonly string[]): string[] {
  return texts.flatMap((text) => told(framer.receive(octets(text))));
}

t.test('§18.3 several messages of one chunk come out in order', async (t) => {
  t.strictSame(feed(new StreamFramer(), invite + options + register), [invite, options, register]);
});

t.test('§18.3 a message cut anywhere comes out whole, and so does what follows', async (t) => {
  const all = `${invite}\r\n${options}`;
  let whole = 0;
  for (let at = 0; at <= all.length; at++) {
    const framer = new StreamFramer();
    const messages = feed(framer, all.slice(0, at), all.slice(at)).filter((one) => one !== 'pong');
    if (messages.join('|') === `${invite}|${options}` && !framer.isMidMessage) whole++;
  }
  t.equal(whole, all.length + 1, 'whole at every cut');
});

t.test('any stream in any chunks gives the same messages and pings', async (t) => {
  const seed = 5626;
  t.comment(`fast-check seed ${seed}`);
  const parts = fc.array(fc.constantFrom(invite, options, register, '\r\n\r\n', '\r\n'), { maxLength: 8 });
  fc.assert(
    fc.property(parts, fc.array(fc.nat(3_000), { maxLength: 12 }), (sequence, cuts) => {
      const all = sequence.join('');
      const whole = feed(new StreamFramer(), all).filter((one) => one !== 'pong');
      const edges = [0, ...cuts.filter((at) => at < all.length).sort((a, b) => a - b), all.length];
      const chunks = edges.slice(1).map((edge, i) => all.slice(edges[i], edge));
      const pieces = feed(new StreamFramer(), ...chunks).filter((one) => one !== 'pong');
      return (
        pieces.join('|') === whole.join('|') &&
        whole.filter((one) => one !== 'ping').length === sequence.filter((one) => one.length > 4).length
      );
    }),
    { seed, numRuns: 300 },
  );
  const all = octets(invite + options);
  const framer = new StreamFramer();
  t.strictSame(
    [...all].flatMap((octet) => told(framer.receive(Uint8Array.of(octet)))),
    [invite, options],
    'octet by octet',
  );
});

t.test('RFC 5626 §4.4.1 a double CRLF is a ping, a single one the answer to ours', async (t) => {
  const framer = new StreamFramer();
  t.strictSame(feed(framer, '\r\n\r\n'), ['ping']);
  t.strictSame(feed(framer, '\r\n\r\n\r\n\r\n'), ['ping', 'ping']);
  t.strictSame(feed(framer, '\r\n'), ['pong']);
  t.strictSame(feed(framer, options), [options]);
  t.strictSame(feed(framer, '\r'), []);
  t.strictSame(feed(framer, '\n'), ['pong']);
  t.strictSame(feed(framer, '\r\n'), ['ping'], 'a ping in two parts');
  t.strictSame(feed(framer, `\r\n${options}\r\n\r\n`), ['pong', options, 'ping']);
  t.equal(framer.isMidMessage, false);
});

t.test('it is known that a message has begun and not ended', async (t) => {
  const framer = new StreamFramer();
  t.equal(framer.isMidMessage, false);
  framer.receive(octets('I'));
  t.equal(framer.isMidMessage, true);
  framer.receive(octets(invite.slice(1)));
  t.equal(framer.isMidMessage, false);
});

t.test('a stream that can not be cut into messages ends, with an answer where there can be one', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    [options.replace('Content-Length: 0', 'X: 0'), 'fatal content-length-missing 400'],
    [options.replace('Content-Length: 0', 'Content-Length: -1'), 'fatal content-length-invalid 400'],
    [options.replace('Content-Length: 0', 'Content-Length: 0\r\nl: 5'), 'fatal content-length-invalid 400'],
    [options.replace('Content-Length: 0', 'Content-Length: 99999999'), 'fatal message-too-large 513'],
    [options.replace('Content-Length: 0', `X: ${'x'.repeat(40_000)}\r\nl: 0`), 'fatal header-too-large 513'],
    [options.replace('Content-Length: 0', `X: ${'x'.repeat(40_000)}`).slice(0, 39_000), 'fatal header-too-large 513'],
    ['GET / HTTP/1.1\r\nHost: porter\r\n\r\n', 'fatal content-length-missing undefined'],
    [`SIP/2.0 200 OK\r\n\r\n`, 'fatal content-length-missing undefined'],
    ['\x16\x03\x01'.repeat(20_000), 'fatal header-too-large undefined'],
  ];
  for (const [text, outcome] of cases) {
    const framer = new StreamFramer();
    t.strictSame(feed(framer, text), [outcome], outcome);
    t.strictSame(feed(framer, options), [], 'nothing comes after it');
    t.equal(framer.isMidMessage, false);
  }
});

t.test('messages before a broken one still come out', async (t) => {
  t.strictSame(feed(new StreamFramer(), `${options}${options.replace('Length: 0', 'Length: x')}`), [
    options,
    'fatal content-length-invalid 400',
  ]);
});

t.test('a message that is framed but broken otherwise does not end the stream', async (t) => {
  const broken = options.replace('CSeq: 7', 'CSeq: x');
  t.strictSame(feed(new StreamFramer(), broken + options), [broken, options]);
});

t.test('what was given out does not change when the chunk is used again', async (t) => {
  const chunk = octets(options);
  const framed = new StreamFramer().receive(chunk);
  chunk.fill(0);
  t.strictSame(told(framed), [options]);
});
