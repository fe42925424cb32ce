/** RFC 4235 §4. */
export const dialogDocumentType = 'application/dialog-info+xml';

/** One call as those who watch a line see it. */
export interface ShownDialog {
  readonly id: string;
  readonly direction: 'initiator' | 'recipient';
  readonly state: 'trying' | 'early' | 'confirmed';
  readonly remote: { readonly displayName: string; readonly uri: string };
}

/** RFC 4235 §4.1: all calls of `entity`; those that are not named are over. `version` counts the documents of one subscription. */
export function formatDialogDocument(entity: string, version: number, dialogs: readonly ShownDialog[]): string {
  const opening = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${escaped(entity)}">`;
  return ['<?xml version="1.0" encoding="UTF-8"?>', opening, ...dialogs.map(elementOf), '</dialog-info>', ''].join('\r\n');
}

function elementOf({ id, direction, state, remote }: ShownDialog): string {
  const display = remote.displayName === '' ? '' : ` display="${escaped(remote.displayName)}"`;
  const far = `<remote><identity${display}>${escaped(remote.uri)}</identity></remote>`;
  return `<dialog id="${escaped(id)}" direction="${direction}"><state>${state}</state>${far}</dialog>`;
}

/** What came from the network must not become markup, nor hold what XML can not express. */
function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  let safe = '';
  for (const character of text) {
    const isLone = character.length === 1 && character >= '\ud800' && character <= '\udfff';
    if (character >= ' ' && !isLone && character < '\ufffe') safe += entities[character] ?? character;
    else if (character.length > 1) safe += character;
  }
  return safe;
}
