import { isUsableAddress } from './media-attributes.ts';
import { attributeValue, hasAttribute, type MediaSection, parseDecimal, type SdpAttribute, splitWords } from './session-description.ts';

/** One side's ICE parameters (RFC 8839). Candidates are the values of their lines. */
export interface IceParameters {
  readonly ufrag: string;
  readonly password: string;
  readonly candidates: readonly string[];
}

/** Ours, and the candidate that stands in c= and m= for those who know no ICE. */
export interface LocalIce extends IceParameters {
  readonly address: string;
  readonly port: number;
}

/** Theirs. */
export interface RemoteIce extends IceParameters {
  /** It answers checks and makes none (RFC 8445 §2.5). */
  readonly lite: boolean;
  /** We choose among the ways that work: because we offered, or because the peer cannot (RFC 8445 §6.1.1). */
  readonly controlling: boolean;
}

const candidatesAtMost = 32;

export function iceAttributes({ ufrag, password, candidates }: IceParameters): SdpAttribute[] {
  return [
    { name: 'ice-ufrag', value: ufrag },
    { name: 'ice-pwd', value: password },
    ...candidates.map((value) => ({ name: 'candidate', value })),
  ];
}

/** What they say of ICE; `undefined` when they do not know it, or nothing of it can be used. `answered`: it is the answer to our offer. */
export function remoteIceOf(section: MediaSection, session: readonly SdpAttribute[], answered: boolean): RemoteIce | undefined {
  const ufrag = attributeValue(section.attributes, 'ice-ufrag') ?? attributeValue(session, 'ice-ufrag');
  const password = attributeValue(section.attributes, 'ice-pwd') ?? attributeValue(session, 'ice-pwd');
  if (!isIceText(ufrag, 4) || !isIceText(password, 22)) return undefined;
  const lines = section.attributes.filter(({ name }) => name === 'candidate').flatMap(({ value }) => value ?? []);
  const candidates = lines.slice(0, candidatesAtMost).filter(isUsableCandidate);
  if (candidates.length === 0) return undefined;
  const lite = hasAttribute(session, 'ice-lite') || hasAttribute(section.attributes, 'ice-lite');
  return { ufrag, password, candidates, lite, controlling: answered || lite };
}

/** RFC 8839 §5.1: `FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE …`; only UDP, only the component of RTP, no names. */
function isUsableCandidate(value: string): boolean {
  const [foundation = '', component, transport = '', priority = '', address = '', port = '', typ, type = ''] = splitWords(value);
  if (!isIceText(foundation, 1) || component !== '1' || transport.toUpperCase() !== 'UDP' || typ !== 'typ') return false;
  if (parseDecimal(priority, 0xffff_ffff) === undefined || !parseDecimal(port, 65_535)) return false;
  return isUsableAddress(address) && ['host', 'srflx', 'prflx', 'relay'].includes(type) && value.length <= 512;
}

/** RFC 8839 §5.1: letters, digits, + and /, at most 256 of them. */
function isIceText(text: string | undefined, atLeast: number): text is string {
  if (text === undefined || text.length < atLeast || text.length > 256) return false;
  return [...text].every((character) => /[A-Za-z0-9+/]/.test(character));
}
