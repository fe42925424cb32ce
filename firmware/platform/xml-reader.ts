import { createRequire } from 'node:module';
import type { X2jOptions, XMLParser } from 'fast-xml-parser';
import type { XmlElement, XmlReader } from '#firmware/core/xml-element.ts';

/** Documents of events have some hundred octets; a busy line's has a few thousand. */
const octetsAtMost = 16_384;
const depthAtMost = 16;

const options: X2jOptions = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  htmlEntities: true,
  trimValues: false,
  maxNestedTags: depthAtMost,
};

const require = createRequire(import.meta.url);
const decoder = new TextDecoder('utf-8', { fatal: true });
const attributesKey = ':@';
const textKey = '#text';

/**
 * Document types are refused: nothing that is sent by SIP has one, and entities of one could grow without bound. The parser is loaded with the
 * first document (3.5 MB), so that a phone that watches nothing has none.
 */
export function xmlReader(): XmlReader {
  let parser: XMLParser | undefined;
  return (bytes) => {
    if (bytes.length > octetsAtMost) return undefined;
    parser ??= loadParser();
    try {
      const text = decoder.decode(bytes);
      const elements = text.includes('<!DOCTYPE') ? [] : elementsOf(parser.parse(text, true));
      return elements.length === 1 ? elements[0] : undefined;
    } catch {
      // The parser says by exceptions alone that a text is no XML.
      return undefined;
    }
  };
}

function loadParser(): XMLParser {
  const loaded = require('fast-xml-parser') as typeof import('fast-xml-parser');
  return new loaded.XMLParser(options);
}

/** The parser's own form: `{ name: [children], ':@': { attribute: value } }`, texts as `{ '#text': … }`. */
function elementsOf(nodes: unknown): XmlElement[] {
  const elements: XmlElement[] = [];
  for (const node of Array.isArray(nodes) ? nodes : []) {
    const entries = Object.entries(node as object);
    const [name, content] = entries.find(([key]) => key !== attributesKey && key !== textKey) ?? [];
    if (name === undefined) continue;
    const attributes = Object.entries((entries.find(([key]) => key === attributesKey)?.[1] as object | undefined) ?? {});
    elements.push({
      name,
      attributes: new Map(attributes.map(([key, value]) => [key, String(value)])),
      children: elementsOf(content),
      text: textOf(content),
    });
  }
  return elements;
}

function textOf(nodes: unknown): string {
  const texts = (Array.isArray(nodes) ? nodes : []).flatMap((node) => {
    const text = Object.entries(node as object).find(([key]) => key === textKey)?.[1] as unknown;
    return text === undefined ? [] : [String(text)];
  });
  return texts.join('').trim();
}
