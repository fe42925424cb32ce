import type { SrtpSuiteName } from '../core/srtp-suites.ts';
import { type CryptoLine, cryptoLinesOf, cryptoValueOf } from './crypto-attribute.ts';
import { attributeValue, type MediaSection, type SdpAttribute } from './session-description.ts';

/** The fingerprint of a certificate as SDP carries it: hash function and bytes in hex with colons (RFC 8122 §5). */
export interface Fingerprint {
  readonly hash: HashName;
  readonly value: string;
}

/** What this side wants of protection. */
export interface LocalSecurity {
  /** Without protection there is no call; else it is taken when the far end has it, too. */
  readonly required: boolean;
  /** What we offer: keys in the description (RFC 4568), or a handshake between the media ports (RFC 5763). Either is accepted. */
  readonly offers: 'sdes' | 'dtls';
  /** Best first, each with a key of ours. */
  readonly cryptos: readonly CryptoLine[];
  /** Of our certificate; `undefined` when there is none. */
  readonly fingerprint: Fingerprint | undefined;
}

/** What both sides agreed on. */
export type NegotiatedSecurity =
  | {
      readonly kind: 'sdes';
      readonly tag: number;
      readonly suite: SrtpSuiteName;
      readonly sendKey: string;
      readonly receiveKey: string;
      readonly mkiLength: number;
    }
  | {
      readonly kind: 'dtls';
      /** The certificate that the far end has to show. */
      readonly fingerprint: Fingerprint;
      /** Who begins the handshake. */
      readonly role: 'client' | 'server';
    };

export type SecurityFailure = 'unsupported-transport' | 'no-common-crypto' | 'encryption-required';

export type SecurityOutcome =
  | { readonly outcome: 'agreed'; readonly security: NegotiatedSecurity | undefined }
  | { readonly outcome: 'unusable'; readonly reason: SecurityFailure };

/** What a transport says of protection; with F there is feedback by RTCP, which nobody has to send. */
const transports = new Map<string, 'plain' | 'sdes' | 'dtls'>([
  ['RTP/AVP', 'plain'],
  ['RTP/AVPF', 'plain'],
  ['RTP/SAVP', 'sdes'],
  ['RTP/SAVPF', 'sdes'],
  ['UDP/TLS/RTP/SAVP', 'dtls'],
  ['UDP/TLS/RTP/SAVPF', 'dtls'],
]);

const hashes = ['sha-1', 'sha-256', 'sha-384', 'sha-512'] as const;
export type HashName = (typeof hashes)[number];

/** The transport for a first offer: without `required` the plain one, with the means of protection beside it (RFC 8643). */
export function transportOf(local: LocalSecurity | undefined): string {
  if (!local?.required) return 'RTP/AVP';
  return local.offers === 'dtls' ? 'UDP/TLS/RTP/SAVP' : 'RTP/SAVP';
}

/** The lines of an offer. What was agreed on before is not offered anew in another way. */
export function offerAttributes(local: LocalSecurity | undefined, agreed: NegotiatedSecurity | undefined): SdpAttribute[] {
  if (!local) return [];
  if ((agreed?.kind ?? local.offers) === 'dtls') return local.fingerprint ? fingerprintAttributes(local.fingerprint, 'actpass') : [];
  return local.cryptos.map((line) => ({ name: 'crypto', value: cryptoValueOf(line) }));
}

/** The lines of an answer. */
export function answerAttributes(local: LocalSecurity | undefined, agreed: NegotiatedSecurity | undefined): SdpAttribute[] {
  if (!local || !agreed) return [];
  if (agreed.kind === 'dtls')
    return local.fingerprint ? fingerprintAttributes(local.fingerprint, agreed.role === 'client' ? 'active' : 'passive') : [];
  const { tag, suite, sendKey } = agreed;
  return [{ name: 'crypto', value: cryptoValueOf({ tag, suite, key: sendKey, mkiLength: 0 }) }];
}

/** What a section of theirs and our side come to. `answered`: it answers an offer of ours; `before` is what was in force until now. */
export function agreeOnSecurity(
  section: MediaSection,
  session: readonly SdpAttribute[],
  local: LocalSecurity | undefined,
  answered: boolean,
  before: NegotiatedSecurity | undefined,
): SecurityOutcome {
  const transport = transports.get(section.protocol.toUpperCase());
  if (!transport || (!local && transport !== 'plain')) return { outcome: 'unusable', reason: 'unsupported-transport' };
  if (!local) return { outcome: 'agreed', security: undefined };
  const ways = [() => agreedCrypto(section, local, answered), () => agreedHandshake(section, session, local, answered, before)];
  if (transport === 'dtls' || (transport === 'plain' && local.offers === 'dtls')) ways.reverse();
  for (const way of ways) {
    const security = way();
    if (security) return { outcome: 'agreed', security };
  }
  if (transport !== 'plain') return { outcome: 'unusable', reason: 'no-common-crypto' };
  return local.required ? { outcome: 'unusable', reason: 'encryption-required' } : { outcome: 'agreed', security: undefined };
}

/** §5.1.2: the first line of an offer that is to our taste; §5.1.3: the one line of an answer, with the tag that we gave it. */
function agreedCrypto(section: MediaSection, local: LocalSecurity, answered: boolean): NegotiatedSecurity | undefined {
  const values = section.attributes.filter(({ name }) => name === 'crypto').map(({ value }) => value);
  for (const { tag, suite, key, mkiLength } of cryptoLinesOf(values)) {
    const own = local.cryptos.find((line) => line.suite === suite && (!answered || line.tag === tag));
    if (own) return { kind: 'sdes', tag, suite, sendKey: own.key, receiveKey: key, mkiLength };
  }
  return undefined;
}

/** RFC 5763 §5: who answers begins, unless the offer says otherwise. Within a call the roles stay (RFC 8842 §5.5). */
function agreedHandshake(
  section: MediaSection,
  session: readonly SdpAttribute[],
  local: LocalSecurity,
  answered: boolean,
  before: NegotiatedSecurity | undefined,
): NegotiatedSecurity | undefined {
  const text = attributeValue(section.attributes, 'fingerprint') ?? attributeValue(session, 'fingerprint');
  const setup = (attributeValue(section.attributes, 'setup') ?? attributeValue(session, 'setup') ?? 'actpass').trim().toLowerCase();
  const fingerprint = text === undefined ? undefined : parseFingerprint(text);
  if (!fingerprint || !local.fingerprint || (answered && local.offers !== 'dtls' && before?.kind !== 'dtls')) return undefined;
  if (setup === 'active') return { kind: 'dtls', fingerprint, role: 'server' };
  if (setup === 'passive') return { kind: 'dtls', fingerprint, role: 'client' };
  const same = before?.kind === 'dtls' && before.fingerprint.value === fingerprint.value;
  return setup === 'actpass' && !answered ? { kind: 'dtls', fingerprint, role: same ? before.role : 'client' } : undefined;
}

function parseFingerprint(text: string): Fingerprint | undefined {
  const [hash = '', value = '', ...more] = text.trim().split(' ');
  const known = hashes.find((name) => name === hash.toLowerCase());
  const isHex = value.length >= 59 && value.length <= 191 && value.split(':').every((byte) => byte.length === 2 && isHexByte(byte));
  return known && isHex && more.length === 0 ? { hash: known, value: value.toUpperCase() } : undefined;
}

function isHexByte(text: string): boolean {
  return [...text.toLowerCase()].every((character) => (character >= '0' && character <= '9') || (character >= 'a' && character <= 'f'));
}

function fingerprintAttributes({ hash, value }: Fingerprint, setup: string): SdpAttribute[] {
  return [
    { name: 'fingerprint', value: `${hash} ${value}` },
    { name: 'setup', value: setup },
  ];
}
