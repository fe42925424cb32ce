import t from 'tap';
import { childrenOf, elementAt } from '#firmware/core/xml-element.ts';
import { xmlReader } from '#firmware/platform/xml-reader.ts';

const readXml = xmlReader();
const read = (text: string) => readXml(new TextEncoder().encode(text));

t.test('a document is read: prefixes gone, entities and sections undone, attributes by name', async (t) => {
  const document = read(
    '<?xml version="1.0"?>\r\n<!-- c --><d:a x="1&amp;2" d:y="3" xmlns:d="u"> <b>te&lt;x&#65;&#x42;</b><b/><c> one <![CDATA[<two>]]> </c></d:a>\r\n',
  );
  t.equal(document?.name, 'a');
  t.same([document?.attributes.get('x'), document?.attributes.get('y')], ['1&2', '3']);
  t.same(document && childrenOf(document, 'b').map(({ text }) => text), ['te<xAB', '']);
  t.equal(document && elementAt(document, 'c')?.text, 'one <two>');
  t.equal(document && elementAt(document, 'c', 'none'), undefined);
});

t.test('what is no XML, too large, too deep or declares a type is no document, and costs no time', async (t) => {
  const wrong = [
    '',
    'junk',
    '<a',
    '<a><b></a>',
    '<a/><b/>',
    '<a b="c>',
    '<a b>x</a>',
    '<__proto__/>',
    '<a __proto__="x"/>',
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>'.repeat(20) + '</a>'.repeat(20),
    `<a>${'<b/>'.repeat(5_000)}</a>`,
    '<a '.repeat(5_000),
    '<'.repeat(16_000),
    '<![CDATA['.repeat(1_800),
    `<a>${'<!--'.repeat(4_000)}`,
  ];
  const started = performance.now();
  for (const text of wrong) t.equal(read(text), undefined, text.slice(0, 40));
  t.equal(readXml(Uint8Array.of(0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e)), undefined, 'octets that are no UTF-8');
  t.ok(performance.now() - started < 2_000);
});
