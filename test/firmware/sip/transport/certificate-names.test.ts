import t from 'tap';
import { certifies, parseAlternativeNames } from '#firmware/sip/transport/certificate-names.ts';

const speaksFor = (text: string, domain: string): boolean => certifies(parseAlternativeNames(text), domain);

t.test('names are taken apart as Node.js writes them', async (t) => {
  t.same(parseAlternativeNames(''), []);
  t.same(parseAlternativeNames('DNS:a.example, URI:sip:b.example, IP Address:192.0.2.1, email:x@y.example, othername:<unsupported>'), [
    { type: 'dns', value: 'a.example' },
    { type: 'uri', value: 'sip:b.example' },
    { type: 'address', value: '192.0.2.1' },
  ]);
  t.same(parseAlternativeNames('DNS:"a.example\\u0000.evil.example", DNS:b.example'), [
    { type: 'dns', value: 'a.example\u0000.evil.example' },
    { type: 'dns', value: 'b.example' },
  ]);
  t.same(parseAlternativeNames('URI:"http://x/, DNS:victim.example", DNS:b.example'), [
    { type: 'uri', value: 'http://x/, DNS:victim.example' },
    { type: 'dns', value: 'b.example' },
  ]);
});

t.test('a text that breaks the rules names nobody', async (t) => {
  for (const text of ['DNS', 'DNS:"a.example', 'DNS:"a.example"x, DNS:b.example', ', ', 'DNS:a.example, x', '"DNS:a.example"']) {
    t.same(parseAlternativeNames(text), [], text);
  }
  t.same(parseAlternativeNames('DNS:"\\q", DNS:b.example'), [{ type: 'dns', value: 'b.example' }]);
  t.equal(parseAlternativeNames(Array.from({ length: 10_000 }, () => 'DNS:a').join(', ')).length, 256);
});

t.test('RFC 5922 §7.2 a DNS name counts when it is the domain, whole and without regard to case', async (t) => {
  t.ok(speaksFor('DNS:other.example, DNS:PBX.Example', 'pbx.EXAMPLE'));
  t.notOk(speaksFor('DNS:pbx.example', 'example'));
  t.notOk(speaksFor('DNS:example', 'pbx.example'));
  t.notOk(speaksFor('DNS:*.example', 'pbx.example'), 'wildcards match nothing');
  t.notOk(speaksFor('DNS:*.example', '*.example'));
  t.notOk(speaksFor('email:pbx.example', 'pbx.example'));
  t.notOk(speaksFor('', 'pbx.example'));
});

t.test('RFC 5922 §7.1 a sip: URI without a user counts before DNS names', async (t) => {
  t.ok(speaksFor('URI:sip:pbx.example', 'pbx.example'));
  t.ok(speaksFor('URI:SIP:Pbx.example, DNS:host.example', 'pbx.example'));
  t.notOk(speaksFor('URI:sip:pbx.example, DNS:host.example', 'host.example'));
  t.notOk(speaksFor('URI:sip:alice@pbx.example', 'pbx.example'), 'that one speaks for alice');
  t.ok(speaksFor('URI:sip:alice@other.example, DNS:pbx.example', 'pbx.example'));
  t.notOk(speaksFor('URI:https://pbx.example', 'pbx.example'));
  t.notOk(speaksFor('URI:sips:pbx.example', 'pbx.example'));
});

t.test('a name with a NUL, or any other character no host name has, is not cut short', async (t) => {
  t.notOk(speaksFor('DNS:"pbx.example\\u0000.evil.example"', 'pbx.example'));
  t.notOk(speaksFor('URI:"sip:pbx.example\\u0000.evil.example"', 'pbx.example'));
  t.notOk(speaksFor('DNS:"pbx.example\\u0000"', 'pbx.example\u0000'));
  t.notOk(speaksFor('DNS:"x, DNS:pbx.example"', 'pbx.example'));
});

t.test('an address is meant only by an address', async (t) => {
  t.ok(speaksFor('IP Address:192.0.2.1', '192.0.2.1'));
  t.ok(speaksFor('IP Address:2001:DB8:0:0:0:0:0:1', '2001:db8::1'));
  t.ok(speaksFor('IP Address:0:0:0:0:0:0:0:1', '::1'));
  t.ok(speaksFor('URI:sip:192.0.2.1', '192.0.2.1'));
  t.notOk(speaksFor('IP Address:2001:DB8:0:0:0:0:0:1', '2001:db8::2'));
  t.notOk(speaksFor('DNS:192.0.2.1', '192.0.2.1'));
  t.notOk(speaksFor('IP Address:192.0.2.10', '192.0.2.1'));
});
