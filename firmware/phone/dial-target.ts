import { UsageError } from '#firmware/core/errors.ts';
import { parseUri, SipUri, type Uri } from '#firmware/sip/message/uri.ts';
import type { DialingSettings, LineSettings } from './phone-settings.ts';

/** Who is to be called, and by which line. */
export interface DialTarget {
  readonly uri: Uri;
  /** `undefined` = straight to the address, as nobody's user. */
  readonly line: LineSettings | undefined;
  /** What was dialled, for redial and the display. */
  readonly dialString: string;
}

export interface Dialer {
  readonly lines: readonly LineSettings[];
  readonly dialing: Pick<DialingSettings, 'domain'>;
}

/**
 * What a person typed as an address: a URI (`sip:bob@example.org`, `bob@example.org`, `tel:+1555`), an IP address (`192.168.1.5`, on a
 * keypad `192*168*1*5`), or a number or name in the domain of the line. Throws UsageError when it is none of these.
 */
export function resolveTarget(text: string, dialer: Dialer, lineName?: string): DialTarget {
  const dialString = text.trim();
  const chosen = lineName === undefined ? undefined : lineNamed(dialer.lines, lineName);
  const uri = uriOf(dialString);
  if (uri) return { uri, line: chosen ?? lineFor(uri, dialer.lines), dialString };
  const line = chosen ?? dialer.lines[0];
  const user = userOf(dialString);
  if (user === undefined) throw new UsageError('not-a-target', `“${dialString.slice(0, 60)}” is neither a number nor a SIP address`);
  if (!line) throw new UsageError('no-line', 'a number needs a line: set line.1.aor, or call a whole address such as sip:bob@192.168.1.5');
  return { uri: inDomain(user, line, dialer.dialing.domain), line, dialString };
}

function lineNamed(lines: readonly LineSettings[], name: string): LineSettings {
  const line = lines.find((known) => known.name === name);
  if (!line) throw new UsageError('unknown-line', `there is no line ${name.slice(0, 40)}`);
  return line;
}

function uriOf(text: string): Uri | undefined {
  const address = ipAddressOf(text);
  if (address !== undefined) return new SipUri({ host: address });
  const hasScheme = /^sips?:/i.test(text);
  const uri = hasScheme ? parseUri(text) : text.includes('@') ? parseUri(`sip:${text}`) : undefined;
  if (uri) return uri;
  if (hasScheme || text.includes('@')) throw new UsageError('not-a-target', `“${text.slice(0, 60)}” is not a SIP address`);
  return undefined;
}

/** The address in `192.168.1.5` or, from a keypad without a dot, `192*168*1*5`. */
function ipAddressOf(text: string): string | undefined {
  const octets = text.split(text.includes('*') ? '*' : '.');
  if (octets.length !== 4) return undefined;
  const isOctet = (octet: string) => octet.length > 0 && octet.length <= 3 && isNumeric(octet) && Number(octet) <= 255;
  return octets.every(isOctet) ? octets.join('.') : undefined;
}

function isNumeric(text: string): boolean {
  for (const character of text) if (character < '0' || character > '9') return false;
  return true;
}

/** The line whose domain it is. Another domain goes through the first line's server; a bare address is called straight. */
function lineFor(uri: Uri, lines: readonly LineSettings[]): LineSettings | undefined {
  if (uri.kind !== 'sip') return lines[0];
  const own = lines.find(({ aor }) => aor.host === uri.host && (aor.port ?? uri.port) === uri.port);
  return own ?? (isAddress(uri.host) ? undefined : lines[0]);
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || ipAddressOf(host) !== undefined;
}

/** The user part of a number as people write it (`+49 (89) 123-456`), or of a name. */
function userOf(text: string): string | undefined {
  const plain = text.toLowerCase().startsWith('tel:') ? text.slice(4).split(';', 1)[0] : text;
  if (plain === undefined || plain === '') return undefined;
  const number = [...plain].filter((character) => !' -()/.'.includes(character)).join('');
  if (number !== '' && [...number].every((character) => '0123456789*#+ABCD'.includes(character))) return number;
  return /^[\w.!~*'+$&=-]{1,64}$/.test(plain) ? plain : undefined;
}

function inDomain(user: string, line: LineSettings, domain: string | undefined): SipUri {
  if (domain === undefined) return new SipUri({ user, host: line.aor.host, port: line.aor.port });
  const uri = parseUri(`sip:${domain}`);
  if (uri?.kind !== 'sip') throw new UsageError('bad-domain', `phone.autoDomain “${domain}” is not a host name`);
  return uri.with({ user });
}
