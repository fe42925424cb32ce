/** One element of an XML document, names without their prefix. */
export interface XmlElement {
  readonly name: string;
  /** By name, declarations of namespaces left out. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text directly within, without the space around it. */
  readonly text: string;
}

/** Reads a document of a stranger: `undefined` when it is none, too large, too deep, or declares a type. */
export type XmlReader = (bytes: Uint8Array) => XmlElement | undefined;

export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** The first element that is reached by these names, one within the other. */
export function elementAt(element: XmlElement, ...path: readonly string[]): XmlElement | undefined {
  let found: XmlElement | undefined = element;
  for (const name of path) found = found?.children.find((child) => child.name === name);
  return found;
}

/** What came from elsewhere must not become markup, nor hold what XML can not express. */
export function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  let safe = '';
  for (const character of text) {
    const isLone = character.length === 1 && character >= '\ud800' && character <= '\udfff';
    if (character >= ' ' && !isLone && character < '\ufffe') safe += entities[character] ?? character;
    else if (character.length > 1) safe += character;
  }
  return safe;
}
