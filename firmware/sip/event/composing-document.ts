import { elementAt, type XmlElement } from '#firmware/core/xml-element.ts';

/** RFC 3994 §3. */
export const composingDocumentType = 'application/im-iscomposing+xml';

/** Somebody writes a message to us, or has stopped to. */
export interface Composing {
  readonly active: boolean;
  /** How long `active` counts without being said again, s. */
  readonly seconds: number;
}

/** RFC 3994 §3.3: without a refresh it counts for two minutes. */
const usualSeconds = 120;
const mostSeconds = 600;

export function formatComposing(active: boolean): string {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\r\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">\r\n';
  const refresh = active ? `<refresh>${usualSeconds}</refresh>` : '';
  return `${head}<state>${active ? 'active' : 'idle'}</state><contenttype>text/plain</contenttype>${refresh}\r\n</isComposing>\r\n`;
}

export function composingOf(document: XmlElement): Composing | undefined {
  if (document.name !== 'isComposing') return undefined;
  const refresh = Number(elementAt(document, 'refresh')?.text ?? usualSeconds);
  const seconds = refresh > 0 ? Math.min(refresh, mostSeconds) : usualSeconds;
  return { active: elementAt(document, 'state')?.text === 'active', seconds };
}
