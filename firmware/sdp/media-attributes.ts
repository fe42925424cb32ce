import { integerAttribute } from './audio-format.ts';
import { attributeValue, hasAttribute, type MediaSection, parseDecimal, type SdpAttribute, splitWords } from './session-description.ts';

/** Who sends, seen from the side that states it (RFC 8866 §6.7). */
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

const directions: readonly MediaDirection[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];

/** The direction of a section: its own, else the session's, else both ways. */
export function directionOf(section: readonly SdpAttribute[], session: readonly SdpAttribute[]): MediaDirection {
  for (const attributes of [section, session]) {
    const stated = directions.find((direction) => hasAttribute(attributes, direction));
    if (stated) return stated;
  }
  return 'sendrecv';
}

/** The same stream seen from the other end. */
export function reverseDirection(direction: MediaDirection): MediaDirection {
  if (direction === 'sendonly') return 'recvonly';
  return direction === 'recvonly' ? 'sendonly' : direction;
}

/** True if this side sends. */
function sends(direction: MediaDirection): boolean {
  return direction === 'sendrecv' || direction === 'sendonly';
}

/** True if this side listens. */
function receives(direction: MediaDirection): boolean {
  return direction === 'sendrecv' || direction === 'recvonly';
}

/** What both allow; both seen from the same side. */
export function intersectDirections(a: MediaDirection, b: MediaDirection): MediaDirection {
  const send = sends(a) && sends(b);
  const receive = receives(a) && receives(b);
  if (send) return receive ? 'sendrecv' : 'sendonly';
  return receive ? 'recvonly' : 'inactive';
}

/** The null address: nothing is to be sent there (RFC 3264 §8.4, the hold of RFC 2543). */
export function isHoldAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** True for an IPv4 or IPv6 literal that is not multicast. Names are refused: media must not wait for DNS nor be steered by it. */
export function isUsableAddress(address: string): boolean {
  return address.includes(':') ? isIpv6(address) && !address.toLowerCase().startsWith('ff') : isUnicastIpv4(address);
}

/** Where the peer wants RTCP: a=rtcp (RFC 3605), else the next port. */
export function rtcpTargetOf(section: MediaSection, address: string): { remoteRtcpAddress: string; remoteRtcpPort: number } {
  const [portText, , , ownAddress] = splitWords(attributeValue(section.attributes, 'rtcp') ?? '');
  const port = portText === undefined ? undefined : parseDecimal(portText, 65_535);
  const usable = ownAddress !== undefined && isUsableAddress(ownAddress);
  const next = section.port < 65_535 ? section.port + 1 : section.port;
  return { remoteRtcpAddress: usable ? ownAddress : address, remoteRtcpPort: port ? port : next };
}

/** Packet lengths that phones use, ms; what lies between is cut to the next shorter. */
const packetTimes = [60, 40, 30, 20, 10];
const longestPtime = 200;

/** Milliseconds a packet to the peer: its ptime if sane, else ours, within both sides' maxptime. */
export function agreedPtime(
  section: readonly SdpAttribute[],
  session: readonly SdpAttribute[],
  localPtime: number,
  localMaximum: number,
): number {
  const stated = sanePtime(integerAttribute(section, 'ptime', longestPtime) ?? integerAttribute(session, 'ptime', longestPtime));
  const maximum = sanePtime(integerAttribute(section, 'maxptime', longestPtime) ?? integerAttribute(session, 'maxptime', longestPtime));
  const bounded = Math.min(stated ?? localPtime, localMaximum, maximum ?? longestPtime);
  return packetTimes.find((time) => time <= bounded) ?? localPtime;
}

/** Less than any packet holds is as good as nothing said. */
function sanePtime(value: number | undefined): number | undefined {
  return value !== undefined && value >= 10 ? value : undefined;
}

function isUnicastIpv4(address: string): boolean {
  const parts = address.split('.', 5);
  if (parts.length !== 4) return false;
  // A leading zero means octal to some and nothing to others.
  const numbers = parts.map((part) => (part.length > 1 && part.startsWith('0') ? undefined : parseDecimal(part, 255)));
  if (numbers.includes(undefined)) return false;
  const first = numbers[0] ?? 0;
  return first < 224 && address !== '255.255.255.255';
}

/** Shape only; the socket has the last word. A zone or an IPv4 tail is allowed to stand at the end. */
function isIpv6(address: string): boolean {
  if (address.length > 45) return false;
  const gap = address.indexOf('::');
  if (gap >= 0 && address.indexOf('::', gap + 1) >= 0) return false;
  const groups = address.split(':');
  const last = groups.at(-1) ?? '';
  const embedded = last.includes('.');
  if (embedded && !isUnicastIpv4(last)) return false;
  const width = groups.length + (embedded ? 1 : 0);
  if (gap < 0 ? width !== 8 : width > 9) return false;
  return groups.every((group, index) => {
    if (embedded && index === groups.length - 1) return true;
    if (group === '') return gap >= 0;
    return group.length <= 4 && isHex(group);
  });
}

function isHex(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index) | 32;
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102))) return false;
  }
  return true;
}
