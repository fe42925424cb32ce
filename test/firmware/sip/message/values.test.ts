import fc from 'fast-check';
import t from 'tap';
import { formatAuth, parseAuth, parseAuthParams } from '#firmware/sip/message/auth.ts';
import { parseCSeq, parseParameterized, parseRetryAfter, parseSeconds, splitList } from '#firmware/sip/message/header-values.ts';
import { HeaderList } from '#firmware/sip/message/headers.ts';
import { essenceOf, parseMediaType } from '#firmware/sip/message/media-type.ts';
import { NameAddr, parseContacts, parseNameAddr, parseNameAddrList } from '#firmware/sip/message/name-addr.ts';
import { formatUri, parseUri, SipUri, sameUri } from '#firmware/sip/message/uri.ts';
import { newBranch, parseViaList, Via } from '#firmware/sip/message/via.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

const seed = 3261;

function sipUri(text: string): SipUri {
  const uri = parseUri(text);
  if (uri?.kind !== 'sip') throw new Error(`no SIP URI: ${text}`);
  return uri;
}

t.test('§19.1.1 the parts of a SIP URI are read with their escapes undone', async (t) => {
  const uri = sipUri(
    'SIPS:J%C3%BCrgen%20x;day=tuesday:s%3Acret@Example.COM:5061;Transport=TCP;lr;x=%41%3b?Subject=a%26b&Route=%3Csip:c%3E',
  );
  t.equal(uri.scheme, 'sips');
  t.equal(uri.user, 'Jürgen x;day=tuesday');
  t.equal(uri.password, 's:cret');
  t.equal(uri.host, 'example.com');
  t.equal(uri.port, 5061);
  t.strictSame(
    [...uri.params],
    [
      ['transport', 'TCP'],
      ['lr', ''],
      ['x', 'A;'],
    ],
  );
  t.strictSame(uri.headers, [
    ['Subject', 'a&b'],
    ['Route', '<sip:c>'],
  ]);
  t.equal(uri.isLooseRouter, true);
  t.equal(sipUri('sip:null-%00-null@a').user, 'null-\0-null', 'a NUL ends nothing');
  t.equal(sipUri('sip:[2001:db8::10:5070]').port, undefined);
  t.equal(sipUri('sip:[2001:DB8::10]:5070').port, 5070);
  t.equal(sipUri('sip:[2001:DB8::10]:5070').host, '[2001:db8::10]');
  t.equal(sipUri('sip:a%2525@b').user, 'a%25', 'escapes are undone once');
});

t.test('what is no URI is refused', async (t) => {
  const wrong = [
    '',
    'sip',
    'sip:',
    'sip:@host',
    'sip:a@',
    'sip:a@b:',
    'sip:a@b:0',
    'sip:a@b:65536',
    'sip:a@b:5060x',
    'sip:a@b:-1',
    'sip:a b@c',
  ];
  const alsoWrong = [
    'sip:a@b;',
    'sip:a@b;;lr',
    'sip:a@b;=x',
    'sip:a@b?',
    'sip:a@b?x',
    'sip:%4@b',
    'sip:%zz@b',
    'sip:a@b;x=%',
    'sip:a@[::1',
    'sip:a@[1]',
  ];
  const others = ['1tel:x', ':x', 'tel:', 'tel:a b', 'tel:<x>', 'sip:a"@b', 'sip:a@b@c', 'sip:a@b>;lr', 'sip:\r\na@b'];
  for (const text of [...wrong, ...alsoWrong, ...others]) t.equal(parseUri(text), undefined, JSON.stringify(text));
});

t.test('URIs of other schemes are kept verbatim', async (t) => {
  const uri = parseUri('TEL:+49-30;Ext=1');
  t.equal(uri?.kind, 'other');
  t.equal(uri?.scheme, 'tel');
  t.equal(String(uri), 'TEL:+49-30;Ext=1');
});

t.test('§19.1.4 equal and different URIs', async (t) => {
  const equal = [
    ['sip:%61lice@atlanta.example;transport=TCP', 'sip:alice@AtLanTa.example;Transport=tcp'],
    ['sip:carol@house.example', 'sip:carol@house.example;newparam=5'],
    ['sip:carol@house.example;security=on', 'sip:carol@house.example;newparam=5'],
    [
      'sip:a@h.example;transport=tcp;method=REGISTER?to=sip:b%40h.example',
      'sip:a@h.example;method=REGISTER;transport=tcp?to=sip:b%40h.example',
    ],
    ['sip:a@h.example?subject=x&priority=urgent', 'sip:a@h.example?Priority=urgent&Subject=x'],
    ['tel:+1', 'TEL:+1'],
  ];
  const different = [
    ['SIP:ALICE@h.example', 'sip:alice@h.example'],
    ['sip:bob@h.example', 'sip:bob@h.example:5060'],
    ['sip:bob@h.example', 'sip:bob@h.example;transport=udp'],
    ['sip:bob@h.example', 'sip:bob@h.example:6000;transport=tcp'],
    ['sip:carol@h.example', 'sip:carol@h.example?Subject=next%20meeting'],
    ['sip:bob@h.example', 'sip:bob@192.0.2.4'],
    ['sip:bob@h.example', 'sips:bob@h.example'],
    ['sip:bob@h.example;security=on', 'sip:bob@h.example;security=off'],
    ['sip:a%3Bb@h.example', 'sip:a;b@h.example'],
    ['sip:h.example;maddr=192.0.2.1', 'sip:h.example'],
    ['sip:1@h', 'tel:1'],
    ['tel:+1', 'tel:+2'],
  ];
  const same = ([a = '', b = '']: readonly string[]) => {
    const [first, second] = [parseUri(a), parseUri(b)];
    return first !== undefined && second !== undefined && sameUri(first, second) && sameUri(second, first);
  };
  for (const pair of equal) t.equal(same(pair), true, pair.join(' = '));
  for (const pair of different) t.equal(same(pair), false, pair.join(' ≠ '));
});

t.test('a URI is changed by copies', async (t) => {
  const uri = sipUri('sip:a%20b@h.example;lr?x=y');
  t.equal(String(uri.with({ port: 5070, headers: [] })), 'sip:a%20b@h.example:5070;lr');
  t.equal(String(uri.with({ user: undefined }).withParam('Transport', 'tcp')), 'sip:h.example;lr;transport=tcp?x=y');
  t.equal(String(uri.withoutParam('lr')), 'sip:a%20b@h.example?x=y');
  t.equal(String(new SipUri({ user: '*21#', host: 'h.example' })), 'sip:*21%23@h.example');
  t.equal(String(new SipUri({ user: 'a@b:c', password: 'd/e', host: '[::1]', port: 1 })), 'sip:a%40b%3Ac:d/e@[::1]:1');
  t.equal(String(uri), 'sip:a%20b@h.example;lr?x=y', 'the original stays');
});

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const host = fc.constantFrom('h.example', '192.0.2.1', '[2001:db8::1]');
const params = fc.array(fc.tuple(text, fc.string({ unit: 'grapheme', maxLength: 8 })), { maxLength: 3 });
const uris = fc
  .record({
    user: fc.option(text, { nil: undefined }),
    host,
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    params,
    headers: params,
  })
  .map((parts) => new SipUri({ ...parts, params: new Map(parts.params.map(([name, value]) => [name.toLowerCase(), value])) }));
const token = fc.stringMatching(/^[a-z0-9!%*_+`'~.-]{1,8}$/);

t.test('any URI, name-addr and Via that is formatted reads the same again', async (t) => {
  t.comment(`fast-check seed ${seed}`);
  fc.assert(
    fc.property(uris, (uri) => {
      const again = sipUri(formatUri(uri));
      return (
        sameUri(again, uri) &&
        again.user === uri.user &&
        [...again.params].join() === [...uri.params].join() &&
        String(again) === String(uri)
      );
    }),
    { seed },
  );
  const printable = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)), maxLength: 10 });
  const pairs = fc.array(fc.tuple(token, printable), { maxLength: 3 }).map((list) => new Map(list));
  fc.assert(
    fc.property(uris, fc.option(printable, { nil: undefined }), pairs, (uri, displayName, map) => {
      const value = new NameAddr(uri, displayName, map);
      const again = parseNameAddr(String(value));
      return (
        again?.displayName === displayName && String(again?.uri) === String(uri) && [...(again?.params ?? [])].join() === [...map].join()
      );
    }),
    { seed },
  );
  fc.assert(
    fc.property(host, fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }), pairs, (name, port, map) => {
      const via = new Via({ transport: 'TCP', host: name, port, params: map });
      const again = parseViaList(`${via}, ${via}`);
      return again?.length === 2 && again.every((one) => one.sentBy === via.sentBy && [...one.params].join() === [...map].join());
    }),
    { seed },
  );
  t.pass('all of them');
});

t.test('§20.10 name-addr and addr-spec in all their forms', async (t) => {
  const parts = (value: string) => {
    const parsed = parseNameAddr(value);
    return parsed && [parsed.displayName, String(parsed.uri), ...parsed.params];
  };
  t.strictSame(parts('"A \\"quoted\\" \\\\ name" <sip:a@b;lr>;tag=x ; y = "1;2,3"'), [
    'A "quoted" \\ name',
    'sip:a@b;lr',
    ['tag', 'x'],
    ['y', '1;2,3'],
  ]);
  t.strictSame(parts('  Anna  Maria.x <sip:a@b>  '), ['Anna  Maria.x', 'sip:a@b']);
  t.strictSame(parts('Zoë (home) <sip:a@b>'), ['Zoë (home)', 'sip:a@b'], 'what phones send though the grammar has it not');
  t.strictSame(parts('sip:a@b;tag=x'), [undefined, 'sip:a@b', ['tag', 'x']], 'without brackets the parameters are the header’s');
  t.strictSame(parts('<sip:a@b;tag=x>'), [undefined, 'sip:a@b;tag=x']);
  t.strictSame(parts('"" <sip:a@b>'), ['', 'sip:a@b']);
  t.strictSame(parts('<sip:a@b>;TAG=x;tag=y'), [undefined, 'sip:a@b', ['tag', 'x']], 'the first of two counts');
  for (const wrong of [
    '',
    '<>',
    '<sip:a@b',
    'sip:a@b>',
    '"a <sip:a@b>',
    '"a" sip:a@b',
    '<sip:a@b>;',
    '<sip:a@b>;=x',
    '<sip:a@b> x',
    '<sip:a@b>, <sip:c@d>',
    'a;b <sip:a@b>',
    '"a\\ü" <sip:a@b>',
  ]) {
    t.equal(parseNameAddr(wrong), undefined, wrong);
  }
});

t.test('a name-addr is changed by copies', async (t) => {
  const to = parseNameAddr('Porter  < sip:x >') ?? parseNameAddr('Porter  <sip:p@h>;x=y');
  t.equal(String(to?.withParam('tag', 'a1')), 'Porter  <sip:p@h>;x=y;tag=a1', 'what is there stays as it was written');
  t.equal(String(to?.withParam('x', 'two words')), '"Porter" <sip:p@h>;x="two words"');
  t.equal(String(to?.withoutParam('x')), '"Porter" <sip:p@h>');
  t.equal(String(parseNameAddr('sip:p@h')?.withParam('tag', 'a')), 'sip:p@h;tag=a');
});

t.test('§20.10 lists of contacts, and the star', async (t) => {
  t.equal(parseContacts('*'), '*');
  t.strictSame(parseNameAddrList('"a, b" <sip:a,x@b>;q=1,sip:d@e;x , <tel:1>')?.map(String), [
    '"a, b" <sip:a,x@b>;q=1',
    'sip:d@e;x',
    '<tel:1>',
  ]);
  for (const wrong of ['', ',', '<sip:a@b>,', ',<sip:a@b>', '<sip:a@b>,,<sip:c@d>', '*, <sip:a@b>'])
    t.equal(parseContacts(wrong), undefined, wrong);
});

t.test('§20.42 Via in all its forms', async (t) => {
  const [first, second] =
    parseViaList(
      'SIP / 2.0 / udp  H.example : 5070 ; branch = z9hG4bKa;rport=5080;received=192.0.2.9 , SIP/2.0/TCP [2001:DB8::1];hidden',
    ) ?? [];
  t.equal(first?.transport, 'UDP');
  t.equal(first?.sentBy, 'h.example:5070');
  t.equal(first?.rport, 5080);
  t.equal(first?.received, '192.0.2.9');
  t.equal(first?.hasUniqueBranch, true);
  t.equal(second?.sentBy, '[2001:db8::1]');
  t.equal(second?.rport, undefined);
  t.equal(second?.hasUniqueBranch, false);
  const via = new Via({
    transport: 'UDP',
    host: '192.0.2.1',
    params: new Map([
      ['branch', 'z9hG4bKa'],
      ['rport', ''],
    ]),
  });
  t.equal(String(via.withParam('received', '192.0.2.9')), 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport;received=192.0.2.9');
  t.equal(String(via.withParam('rport', '5080')), 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa;rport=5080');
  t.equal(via.withParam('received', '2001:db8::1').toString().endsWith(';received=2001:db8::1'), true, 'RFC 5118 §4.5: no brackets');
  for (const wrong of [
    '',
    'SIP/2.0/UDP',
    'SIP/2.0/UDP ',
    'SIP/2.0 a',
    'SIP/2.0/UDPa',
    '/2.0/UDP a',
    'SIP/2.0/UDP a b',
    'SIP/2.0/UDP a;branch=',
    'SIP/2.0/UDP a,',
  ]) {
    t.equal(parseViaList(wrong), undefined, wrong);
  }
});

t.test('§8.1.1.7 branches begin with the cookie and differ', async (t) => {
  const entropy = seededEntropy(1);
  const branches = new Set(Array.from({ length: 1_000 }, () => newBranch(entropy)));
  t.equal(branches.size, 1_000);
  for (const branch of [...branches].slice(0, 3)) t.match(branch, /^z9hG4bK[a-z2-7]{16}$/);
});

t.test('challenges and credentials', async (t) => {
  const challenge = parseAuth('DIGEST Realm="a, \\"b\\"" , nonce="n=1", qop="auth,auth-int", algorithm=SHA-256,stale=true');
  t.equal(challenge?.scheme, 'digest');
  t.strictSame(
    [...(challenge?.params ?? [])],
    [
      ['realm', 'a, "b"'],
      ['nonce', 'n=1'],
      ['qop', 'auth,auth-int'],
      ['algorithm', 'SHA-256'],
      ['stale', 'true'],
    ],
  );
  if (challenge)
    t.equal(
      formatAuth(challenge, 'challenge'),
      'Digest realm="a, \\"b\\"", nonce="n=1", qop="auth,auth-int", algorithm=SHA-256, stale=true',
    );
  const credentials = {
    scheme: 'digest',
    params: new Map([
      ['username', 'a"b'],
      ['qop', 'auth'],
      ['nc', '00000001'],
      ['uri', 'sip:a'],
    ]),
  };
  t.equal(formatAuth(credentials, 'credentials'), 'Digest username="a\\"b", qop=auth, nc=00000001, uri="sip:a"');
  t.strictSame(
    [...(parseAuthParams('nextnonce="x", qop=auth') ?? [])],
    [
      ['nextnonce', 'x'],
      ['qop', 'auth'],
    ],
  );
  const many = (count: number) => parseAuth(`Digest ${Array.from({ length: count }, (_, i) => `p${i}=x`).join(',')}`);
  t.equal(many(64)?.params.size, 64);
  t.equal(many(65), undefined, 'not without end');
  for (const wrong of [
    '',
    'Digest',
    'Digest a',
    'Digest a=',
    'Digest a=b,',
    'Digest a="b',
    'Digest a=b a=c',
    'Digest a=b, A=c',
    '"Digest" a=b',
  ]) {
    t.equal(parseAuth(wrong), undefined, wrong);
  }
});

t.test('the other values', async (t) => {
  const type = parseMediaType(' Multipart / Mixed ; Boundary="a;b" ');
  t.equal(type && essenceOf(type), 'multipart/mixed');
  t.equal(type?.params.get('boundary'), 'a;b');
  for (const wrong of ['', 'text', 'text/', '/plain', 'text/plain;', 'text/plain x']) t.equal(parseMediaType(wrong), undefined, wrong);
  t.strictSame(parseCSeq('0004711  INVITE'), { number: 4711, method: 'INVITE' });
  for (const wrong of ['', '1', 'INVITE 1', '1INVITE', '-1 A', '1 A B', '1e3 A', '2147483648 A'])
    t.equal(parseCSeq(wrong), undefined, wrong);
  t.equal(parseSeconds('4294967295'), 4_294_967_295);
  for (const wrong of ['', '-1', '+1', '1.5', '0x1', '1e3', ' 1', '4294967296', '١']) t.equal(parseSeconds(wrong), undefined, wrong);
  t.equal(parseRetryAfter('120 (in a meeting);duration=3600'), 120);
  t.equal(parseRetryAfter('soon'), undefined);
  const event = parseParameterized('dialog ; id=7;x="y"');
  t.strictSame(event && [event.value, ...event.params], ['dialog', ['id', '7'], ['x', 'y']]);
  t.equal(parseParameterized('dialog, presence'), undefined);
  t.strictSame(splitList(' a , "b, c" ,, <d, e>;f , '), ['a', '"b, c"', '<d, e>;f']);
});

t.test('header lists are read in any spelling and changed by copies', async (t) => {
  const list = HeaderList.of([
    ['v', 'one'],
    ['Via', 'two, three'],
    ['X-Own', 'a'],
    ['to', 'b'],
  ]);
  t.equal(list.get('VIA'), 'one');
  t.strictSame(list.values('Via'), ['one', 'two', 'three']);
  t.equal(list.has('x-own'), true);
  t.equal(list.has('From'), false);
  t.strictSame(
    list.all('v').map(({ value }) => value),
    ['one', 'two, three'],
  );
  const lines = (changed: HeaderList) => changed.fields.map(({ name, value }) => `${name}: ${value}`);
  t.strictSame(lines(list.with('Via', 'x')), ['Via: x', 'X-Own: a', 'to: b']);
  t.strictSame(lines(list.with('Subject', 'x')).at(-1), 'Subject: x');
  t.strictSame(lines(list.prepend('Via', 'x')).slice(0, 2), ['Via: x', 'v: one']);
  t.strictSame(lines(list.append('Via', 'x')), ['v: one', 'Via: two, three', 'Via: x', 'X-Own: a', 'to: b']);
  t.strictSame(lines(list.without('via')), ['X-Own: a', 'to: b']);
  t.strictSame(lines(list.withoutFirstValue('Via')), ['Via: two, three', 'X-Own: a', 'to: b']);
  t.strictSame(lines(list.withoutFirstValue('Via').withoutFirstValue('Via'))[0], 'Via: three');
  t.equal(list.withoutFirstValue('Route'), list);
  t.equal(lines(list).length, 4, 'the original stays');
});

t.test('a value that carries line breaks can not begin another header', async (t) => {
  const list = HeaderList.of([['Subject', 'a\r\nVia: evil\0\nb']]);
  t.equal(list.get('Subject'), 'a Via: evil b');
  t.throws(() => HeaderList.of([['X\r\nVia', 'a']]), { name: 'UsageError', code: 'header-name' });
});

t.test('a display name that is no UTF-8 is shown as Latin-1', async (t) => {
  t.equal(parseNameAddr('"M\udcfcller é 🔔" <sip:a@b>')?.displayName, 'Müller é 🔔');
  t.equal(parseNameAddr('M\udcfcller <sip:a@b>')?.displayName, 'Müller');
  t.equal(String(parseNameAddr('M\udcfcller <sip:a@b>')), 'M\udcfcller <sip:a@b>', 'and goes on as it came');
});
