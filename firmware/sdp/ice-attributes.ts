import { isHoldAddress, isUsableAddress } from './media-attributes.ts';
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
  readonly rtcpPort: number;
}

/** What their lines are read with. */
export interface IceContext {
  /** They are the answer to our offer. */
  readonly answered: boolean;
  /** RTCP shares the port of RTP. */
  readonly muxed: boolean;
  /** Where c= leads. */
  readonly address: string;
}

/** Theirs. */
export interface RemoteIce extends IceParameters {
  /** It answers checks and makes none (RFC 8445 §2.5). */
  readonly lite: boolean;
  /** We choose among the ways that work: because we offered, or because the peer cannot (RFC 8445 §6.1.1). */
  readonly controlling: boolean;
}

const candidatesAtMost = 32;

/** With `muxed` RTCP goes the way of RTP, and nothing is said of one of its own (RFC 8834 §4.5). */
export function iceAttributes({ ufrag, password, candidates }: IceParameters, muxed: boolean): SdpAttribute[] {
  return [
    { name: 'ice-ufrag', value: ufrag },
    { name: 'ice-pwd', value: password },
    ...candidates.filter((value) => !muxed || componentOf(value) === '1').map((value) => ({ name: 'candidate', value })),
  ];
}

/** What they say of ICE; `undefined` when they do not know it, or nothing of it can be used. */
export function remoteIceOf(
  section: MediaSection,
  session: readonly SdpAttribute[],
  { answered, muxed, address }: IceContext,
): RemoteIce | undefined {
  // They have found that somebody on the way has changed our addresses.
  if (hasAttribute(section.attributes, 'ice-mismatch')) return undefined;
  const ufrag = attributeValue(section.attributes, 'ice-ufrag') ?? attributeValue(session, 'ice-ufrag');
  const password = attributeValue(section.attributes, 'ice-pwd') ?? attributeValue(session, 'ice-pwd');
  if (!isIceText(ufrag, 4) || !isIceText(password, 22)) return undefined;
  const lines = section.attributes.filter(({ name }) => name === 'candidate').flatMap(({ value }) => value ?? []);
  const candidates = lines.slice(0, candidatesAtMost).filter((value) => isUsableCandidate(value, muxed));
  if (!candidates.some((value) => isDefault(value, address, section.port))) return undefined;
  const lite = hasAttribute(session, 'ice-lite') || hasAttribute(section.attributes, 'ice-lite');
  return { ufrag, password, candidates, lite, controlling: answered || lite };
}

/** Whether their lines for RTCP of its own are of use: some peers do not share the port. */
export function hasRtcpCandidates({ candidates }: IceParameters): boolean {
  return candidates.some((value) => componentOf(value) === '2');
}

/** RFC 8839 §4.2.5: where c= and m= lead is one of the candidates of RTP; if not, somebody on the way has changed it and wants the sound. */
function isDefault(value: string, address: string, port: number): boolean {
  const [, component, , , candidateAddress = '', candidatePort] = splitWords(value);
  if (component !== '1') return false;
  return isHoldAddress(address) || (candidateAddress.toLowerCase() === address.toLowerCase() && Number(candidatePort) === port);
}

function componentOf(value: string): string | undefined {
  return splitWords(value)[1];
}

/** RFC 8839 §5.1: `FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE …`; only UDP, no names. */
function isUsableCandidate(value: string, muxed: boolean): boolean {
  const [foundation = '', component, transport = '', priority = '', address = '', port = '', typ, type = ''] = splitWords(value);
  if (
    !isIceText(foundation, 1) ||
    !(component === '1' || (component === '2' && !muxed)) ||
    transport.toUpperCase() !== 'UDP' ||
    typ !== 'typ'
  )
    return false;
  if (parseDecimal(priority, 0xffff_ffff) === undefined || !parseDecimal(port, 65_535)) return false;
  return isUsableAddress(address) && ['host', 'srflx', 'prflx', 'relay'].includes(type) && value.length <= 512;
}

/** RFC 8839 §5.1: letters, digits, + and /, at most 256 of them. */
function isIceText(text: string | undefined, atLeast: number): text is string {
  if (text === undefined || text.length < atLeast || text.length > 256) return false;
  return [...text].every((character) => /[A-Za-z0-9+/]/.test(character));
}
