import { XMLParser } from 'fast-xml-parser';
import type { XmlElement } from '#firmware/core/xml-element.ts';

/** Documents of events have some hundred octets; a busy line's has a few thousand. */
const octetsAtMost = 16_384;
const depthAtMost = 16;

const parser = new XMLParser({
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
});

const decoder = new TextDecoder('utf-8', { fatal: true });
const attributesKey = ':@';
const textKey = '#text';

/** An `XmlReader`. Document types are refused: nothing that is sent by SIP has one, and entities of one could grow without bound. */
export function readXml(bytes: Uint8Array): XmlElement | undefined {
  if (bytes.length > octetsAtMost) return undefined;
  try {
    const text = decoder.decode(bytes);
    const nodes: unknown = text.includes('<!DOCTYPE') ? [] : parser.parse(text, true);
    const elements = elementsOf(nodes);
    return elements.length === 1 ? elements[0] : undefined;
  } catch {
    // The parser says by exceptions alone that a text is no XML.
    return undefined;
  }
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
