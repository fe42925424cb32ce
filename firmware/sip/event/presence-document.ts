import { childrenOf, elementAt, escapeXml, type XmlElement } from '#firmware/core/xml-element.ts';

/** RFC 3863. */
export const presenceDocumentType = 'application/pidf+xml';

/** How a person can be reached: `busy` is in a call, `away` does not want to be disturbed or is not there. */
export type Presence = 'open' | 'busy' | 'away';

/** RFC 3863 §4.1 with the activities of RFC 4480 §3.2, which phones show. */
export function formatPresenceDocument(entity: string, presence: Presence, contact: string): string {
  const basic = presence === 'away' ? 'closed' : 'open';
  const activity = { open: '', busy: '<rpid:on-the-phone/>', away: '<rpid:busy/>' }[presence];
  const note = { open: 'ready', busy: 'on the phone', away: 'do not disturb' }[presence];
  const spaces = [
    'xmlns="urn:ietf:params:xml:ns:pidf"',
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"',
    'xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"',
  ];
  const person = activity === '' ? [] : [`<dm:person id="p1"><rpid:activities>${activity}</rpid:activities></dm:person>`];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<presence ${spaces.join(' ')} entity="${escapeXml(entity)}">`,
    `<tuple id="t1"><status><basic>${basic}</basic></status><contact>${escapeXml(contact)}</contact><note>${note}</note></tuple>`,
    ...person,
    '</presence>',
    '',
  ].join('\r\n');
}

const busyActivities: ReadonlySet<string> = new Set(['on-the-phone', 'meeting', 'in-transit', 'presentation']);
const awayActivities: ReadonlySet<string> = new Set(['away', 'busy', 'sleeping', 'vacation', 'permanent-absence', 'appointment']);

/** What a document of presence comes to; `undefined` for a document of something else. A person is open if any of their devices is. */
export function presenceOf(document: XmlElement): Presence | undefined {
  if (document.name !== 'presence') return undefined;
  const tuples = childrenOf(document, 'tuple').slice(0, 32);
  const open = tuples.some((tuple) => elementAt(tuple, 'status', 'basic')?.text.toLowerCase() === 'open');
  const activities = [...childrenOf(document, 'person'), ...tuples].flatMap((one) => elementAt(one, 'activities')?.children ?? []);
  const told = (names: ReadonlySet<string>) => activities.some(({ name }) => names.has(name));
  if (open && told(busyActivities)) return 'busy';
  return open && !told(awayActivities) ? 'open' : 'away';
}
