import { parseSoundWish } from '../core/sound-wish.ts';
import { srtpSuiteNames } from '../core/srtp-suites.ts';

/** What texts of settings must look like: each says what is wrong, or nothing. Whether a host or a device exists is not asked here. */

export function sipUri(text: string): string | undefined {
  return /^sips?:(?:[^\s@<>"]+@)?[^\s@<>"/]+$/i.test(text) ? undefined : 'must be a SIP address such as sip:alice@example.org';
}

export function dialString(text: string): string | undefined {
  return /^[^\s<>"]+$/.test(text) ? undefined : 'must be a number or a SIP address without spaces';
}

export function ipAddress(text: string): string | undefined {
  const octets = text.split('.');
  const v4 = octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255);
  const v6 = text.includes(':') && text.length <= 45 && /^[0-9a-f:.]+$/i.test(text);
  return v4 || v6 ? undefined : 'must be an IP address such as 0.0.0.0 or 192.168.1.5';
}

export function hostAndPort(text: string): string | undefined {
  return /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(text)
    ? undefined
    : 'must be a host name or an address, with or without a port';
}

export function name(text: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/.test(text) ? undefined : 'must be a name of letters, digits and -';
}

export function elementName(text: string): string | undefined {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text) ? undefined : 'must be a name from the board profile: a–z, 0–9 and -';
}

export function dialPattern(text: string): string | undefined {
  const problem = 'must be made of digits, * and #, x, sets such as [2-5] and a final dot';
  let inSet = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i).toLowerCase();
    if (character === '[' && !inSet) inSet = true;
    else if (character === ']' && inSet && text.charAt(i - 1) !== '[') inSet = false;
    else if (character === '.' && (inSet || i === 0 || i < text.length - 1)) return problem;
    else if (!(inSet ? '0123456789*#-' : '0123456789*#x.').includes(character)) return problem;
  }
  return inSet ? problem : undefined;
}

export function digits(text: string): string | undefined {
  return /^[0-9*#A-D]{1,32}$/.test(text) ? undefined : 'must be digits, *, # and A–D';
}

export function digit(text: string): string | undefined {
  return /^[0-9*#A-D]$/.test(text) ? undefined : 'must be one of 0–9, *, # and A–D';
}

export function srtpSuite(text: string): string | undefined {
  return srtpSuiteNames.some((name) => name === text) ? undefined : `must be one of ${srtpSuiteNames.join(', ')}`;
}

export function codec(text: string): string | undefined {
  const known = ['PCMU', 'PCMA', 'G722', 'opus', 'L16', 'L16/16000', 'L16/44100'];
  return known.includes(text) ? undefined : `must be one of ${known.join(', ')}`;
}

export function addressAndPort(text: string): string | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?$/.exec(text);
  const address = parts?.[1] ?? parts?.[2] ?? text;
  const port = Number(parts?.[3] ?? 53);
  const fits = ipAddress(address) === undefined && port >= 1 && port <= 65_535;
  return fits ? undefined : 'must be an IP address, with a port or without, such as 192.0.2.53:53';
}

export function soundDevice(text: string): string | undefined {
  const wish = parseSoundWish(text);
  return typeof wish === 'string' ? wish : undefined;
}

export function country(text: string): string | undefined {
  return /^[a-z]{2}$/.test(text) ? undefined : 'must be two small letters such as us, gb or de';
}

export function realm(text: string): string | undefined {
  return /^[^"\\]{1,64}$/.test(text) ? undefined : 'must not contain " or \\';
}

/** Of a file in the directory of sounds: nothing that leads out of it. */
export function soundFile(text: string): string | undefined {
  const fits = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/.test(text) && text.toLowerCase().endsWith('.wav');
  return text === '' || fits ? undefined : 'must be the name of a WAV file in phone.soundDirectory, such as music.wav';
}

export function path(text: string): string | undefined {
  return text.startsWith('/') ? undefined : 'must be a whole path, from / on';
}

/** An address that many listen to, and a port. */
export function groupAddress(text: string): string | undefined {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  const [v6, v4, port] = [parts?.[1], parts?.[2], Number(parts?.[3])];
  const first = Number(v4?.split('.')[0]);
  const many = v4 === undefined ? v6?.toLowerCase().startsWith('ff') === true : first >= 224 && first <= 239;
  const fits = many && ipAddress(v6 ?? v4 ?? '') === undefined && port >= 1 && port <= 65_535;
  return fits ? undefined : 'must be a multicast address with a port, such as 239.255.10.1:10000 or [ff02::10]:10000';
}

/** An address, or a network with the length of its prefix. */
export function network(text: string): string | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const longest = address.includes(':') ? 128 : 32;
  const fits = ipAddress(address) === undefined && (length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= longest));
  return fits && rest.length === 0 ? undefined : 'must be a network such as 192.168.1.0/24';
}
