import fc from 'fast-check';
import t from 'tap';
import { isNewExpression, isRegularExpressionLiteral, isStringLiteralLike } from 'typescript';
import { formatSessionDescription, parseSessionDescription } from '#firmware/sdp/session-description.ts';
import { formatAuth, parseAuth } from '#firmware/sip/message/auth.ts';
import { buildRequest, serializeMessage } from '#firmware/sip/message/build.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { Via } from '#firmware/sip/message/via.ts';
import { parseSource, readSources, walk } from '#test/architecture/source-tree.ts';

const seed = 3261;
const runs = { seed, numRuns: 500 };

const token = fc.stringMatching(/^[a-zA-Z0-9!%*_+`'~.-]{1,12}$/);
const words = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)), maxLength: 20 });
const anyText = fc.string({ unit: 'grapheme', maxLength: 12 });
const host = fc.constantFrom('h.example', '192.0.2.1', '[2001:db8::1]');
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const uri = fc
  .record({ user: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), { nil: undefined }), host, port })
  .map((parts) => new SipUri(parts));

t.test('any request that is built reads the same again: parse ∘ format = identity', async (t) => {
  t.comment(`fast-check seed ${seed}`);
  const parts = fc.record({
    method: fc.oneof(fc.constantFrom('INVITE', 'BYE', 'MESSAGE'), token),
    requestUri: uri,
    from: fc
      .tuple(uri, fc.option(words, { nil: undefined }), token)
      .map(([one, name, tag]) => new NameAddr(one, name, new Map([['tag', tag]]))),
    to: uri.map((one) => new NameAddr(one)),
    callId: token,
    sequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    via: fc
      .tuple(host, port, token)
      .map(([name, number, branch]) => new Via({ transport: 'UDP', host: name, port: number, params: new Map([['branch', branch]]) })),
    headers: fc.array(
      fc.tuple(
        token.map((name) => `X-${name}`),
        anyText,
      ),
      { maxLength: 4 },
    ),
    content: fc.uint8Array({ maxLength: 200 }),
  });
  fc.assert(
    fc.property(parts, ({ content, ...rest }) => {
      const request = buildRequest({ ...rest, body: { type: 'application/octet-stream', content } });
      const bytes = serializeMessage(request);
      const result = parseMessage(bytes);
      if (!result.ok || result.message.kind !== 'request') return false;
      const { message } = result;
      return (
        message.method === rest.method &&
        String(message.requestUri) === String(rest.requestUri) &&
        message.from.displayName === rest.from.displayName &&
        message.from.tag === rest.from.tag &&
        String(message.to.uri) === String(rest.to.uri) &&
        message.callId === rest.callId &&
        message.cSeq.number === rest.sequence &&
        String(message.topVia) === String(rest.via) &&
        Buffer.compare(message.body, content) === 0 &&
        Buffer.compare(serializeMessage(message), bytes) === 0
      );
    }),
    runs,
  );
});

t.test('any credentials and challenges that are written read the same again', async (t) => {
  t.comment(`fast-check seed ${seed}`);
  const quoted = fc.constantFrom('realm', 'nonce', 'opaque', 'username', 'uri', 'response', 'cnonce');
  const params = fc.uniqueArray(fc.tuple(quoted, words), { minLength: 1, selector: ([name]) => name }).map((pairs) => new Map(pairs));
  fc.assert(
    fc.property(params, fc.constantFrom('challenge' as const, 'credentials' as const), (map, kind) => {
      const again = parseAuth(formatAuth({ scheme: 'digest', params: map }, kind));
      return again?.scheme === 'digest' && [...again.params].join('|') === [...map].join('|');
    }),
    runs,
  );
});

t.test('any session description that is formatted reads the same again', async (t) => {
  t.comment(`fast-check seed ${seed}`);
  const word = fc.stringMatching(/^[a-zA-Z0-9.-]{1,8}$/);
  const attributes = fc.array(
    fc.oneof(
      fc.record({ name: word, value: fc.constant(undefined) }),
      fc.record({ name: word, value: fc.stringMatching(/^[!-~]([ -~]{0,8}[!-~])?$/) }),
    ),
    { maxLength: 4 },
  );
  const connection = fc.option(
    fc.constantFrom({ addressType: 'IP4' as const, address: '192.0.2.1' }, { addressType: 'IP6' as const, address: '2001:db8::1' }),
    { nil: undefined },
  );
  const media = fc.record({
    media: fc.constantFrom('audio', 'video', 'application'),
    port: fc.integer({ min: 0, max: 65_535 }),
    protocol: fc.constantFrom('RTP/AVP', 'RTP/SAVP', 'udp'),
    formats: fc.array(fc.integer({ min: 0, max: 127 }).map(String), { minLength: 1, maxLength: 5 }),
    connection,
    attributes,
  });
  const descriptions = fc.record({
    origin: fc.record({
      username: word,
      sessionId: fc.integer({ min: 0 }).map(String),
      version: fc.integer({ min: 0 }).map(String),
      addressType: fc.constant('IP4' as const),
      address: fc.constant('192.0.2.1'),
    }),
    sessionName: fc.constantFrom('-', 'a call'),
    connection,
    attributes,
    media: fc.array(media, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(descriptions, (description) => {
      const text = formatSessionDescription(description);
      const again = parseSessionDescription(text);
      return again.outcome === 'parsed' && formatSessionDescription(again.description) === text;
    }),
    runs,
  );
});

t.test('no regular expression of the product has a quantifier within a quantifier', async (t) => {
  const patternsOf = (source: ReturnType<typeof parseSource>): string[] => {
    const patterns: string[] = [];
    walk(source.syntax, (node) => {
      if (isRegularExpressionLiteral(node)) patterns.push(node.text);
      const [first] = isNewExpression(node) && node.expression.getText(source.syntax) === 'RegExp' ? (node.arguments ?? []) : [];
      if (first && isStringLiteralLike(first)) patterns.push(first.text);
    });
    return patterns;
  };
  const example = parseSource(
    'a.ts',
    String.raw`/(a+)+$/; /(?:x|\d*y)*/; new RegExp('([a-z]{2,})*'); /(ab)+c*/; /[(a+)+]/; /(\(a+\))/; /(?:\d{1,3}\.){3}/;`,
  );
  t.strictSame(patternsOf(example).map(hasNestedQuantifier), [true, true, true, false, false, false, false]);
  const sources = (await readSources()).filter(({ path }) => /^(firmware|hal|services)\//.test(path));
  const nested = sources.flatMap((source) =>
    patternsOf(source)
      .filter(hasNestedQuantifier)
      .map((pattern) => `${source.path}: ${pattern}`),
  );
  t.strictSame(nested, []);
});

/** True if a group that is repeated without bound holds something that is: matching such can take time without bound. */
function hasNestedQuantifier(pattern: string): boolean {
  /** For each open group, whether something in it is repeated without bound. */
  const groups: boolean[] = [false];
  let closed: boolean | undefined;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? '';
    const isUnbounded = character === '*' || character === '+' || /^\{\d+,\}/.test(pattern.slice(at));
    if (isUnbounded && closed === true) return true;
    if (isUnbounded) groups[groups.length - 1] = true;
    closed = undefined;
    if (character === '\\') at++;
    else if (character === '[') {
      for (at++; at < pattern.length && pattern[at] !== ']'; at++) if (pattern[at] === '\\') at++;
    } else if (character === '(') groups.push(false);
    else if (character === ')') {
      closed = groups.pop() ?? false;
      if (closed && groups.length > 0) groups[groups.length - 1] = true;
    }
  }
  return false;
}
