import { childrenOf, elementAt, escapeXml, type XmlElement } from '#firmware/core/xml-element.ts';

/** RFC 4235 §4. */
export const dialogDocumentType = 'application/dialog-info+xml';

/** One call as those who watch a line see it. */
export interface ShownDialog {
  readonly id: string;
  /** The call of the user agent. */
  readonly session?: string | undefined;
  readonly direction: 'initiator' | 'recipient';
  readonly state: 'trying' | 'early' | 'confirmed';
  readonly remote: { readonly displayName: string; readonly uri: string };
  /** What an INVITE with Replaces has to name to take the call (RFC 3891); absent while there is no dialog yet. */
  readonly names?: DialogNames | undefined;
}

/** A dialog from one of its two sides. */
export interface DialogNames {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
}

/** RFC 4235 §4.1: all calls of `entity`; those that are not named are over. `version` counts the documents of one subscription. */
export function formatDialogDocument(entity: string, version: number, dialogs: readonly ShownDialog[]): string {
  const opening = `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="full" entity="${escapeXml(entity)}">`;
  return ['<?xml version="1.0" encoding="UTF-8"?>', opening, ...dialogs.map(elementOf), '</dialog-info>', ''].join('\r\n');
}

function elementOf({ id, direction, state, remote, names }: ShownDialog): string {
  const display = remote.displayName === '' ? '' : ` display="${escapeXml(remote.displayName)}"`;
  const far = `<remote><identity${display}>${escapeXml(remote.uri)}</identity></remote>`;
  const tags = names ? ` local-tag="${escapeXml(names.localTag)}" remote-tag="${escapeXml(names.remoteTag)}"` : '';
  const named = names ? ` call-id="${escapeXml(names.callId)}"${tags}` : '';
  return `<dialog id="${escapeXml(id)}"${named} direction="${direction}"><state>${state}</state>${far}</dialog>`;
}

/** One call of a line that is watched, as its document names it. */
export interface SeenDialog {
  readonly id: string;
  /** `trying` and `proceeding` are calls it makes; `early` rings, there or here by `direction`. */
  readonly state: 'trying' | 'early' | 'confirmed';
  readonly direction: 'initiator' | 'recipient' | undefined;
  /** What a Replaces has to name, from the side of the line (RFC 4235 §4.1.1); absent when it does not say. */
  readonly names: DialogNames | undefined;
  readonly remote: { readonly displayName: string; readonly uri: string } | undefined;
}

/** A document of dialogs: all of them, or those that have changed, with the ones that are over by `gone`. */
export interface DialogNews {
  readonly version: number;
  readonly full: boolean;
  readonly dialogs: readonly SeenDialog[];
  readonly gone: readonly string[];
}

const dialogsAtMost = 32;
const textAtMost = 256;

/** RFC 4235 §4.1; `undefined` for a document of something else. */
export function dialogNewsOf(document: XmlElement): DialogNews | undefined {
  if (document.name !== 'dialog-info') return undefined;
  const elements = childrenOf(document, 'dialog').slice(0, dialogsAtMost);
  const dialogs = elements.flatMap((element) => seenDialogOf(element) ?? []);
  const gone = elements.map(idOf).filter((id) => !dialogs.some((dialog) => dialog.id === id));
  const version = Number(document.attributes.get('version') ?? 0);
  return { version: Number.isInteger(version) ? version : 0, full: document.attributes.get('state') !== 'partial', dialogs, gone };
}

/** `undefined` for a call that is over, or in a state nobody knows. */
function seenDialogOf(element: XmlElement): SeenDialog | undefined {
  const { attributes } = element;
  const said = elementAt(element, 'state')?.text.toLowerCase();
  const state = said === 'proceeding' ? 'trying' : said;
  if (state !== 'trying' && state !== 'early' && state !== 'confirmed') return undefined;
  const direction = attributes.get('direction');
  const [callId, localTag, remoteTag] = ['call-id', 'local-tag', 'remote-tag'].map((name) => attributes.get(name));
  const named = callId !== undefined && localTag !== undefined && remoteTag !== undefined;
  return {
    id: idOf(element),
    state,
    direction: direction === 'initiator' || direction === 'recipient' ? direction : undefined,
    names: named ? { callId, localTag, remoteTag } : undefined,
    remote: remoteOf(element),
  };
}

function idOf({ attributes }: XmlElement): string {
  return (attributes.get('id') ?? '').slice(0, textAtMost);
}

function remoteOf(element: XmlElement): SeenDialog['remote'] {
  const identity = elementAt(element, 'remote', 'identity');
  const target = elementAt(element, 'remote', 'target')?.attributes.get('uri');
  const uri = identity?.text || target;
  if (uri === undefined) return undefined;
  return { displayName: (identity?.attributes.get('display') ?? '').slice(0, textAtMost), uri: uri.slice(0, textAtMost) };
}
