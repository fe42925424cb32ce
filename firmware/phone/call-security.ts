import type { Entropy } from '#firmware/core/entropy.ts';
import { srtpSuites } from '#firmware/core/srtp-suites.ts';
import { base64Of, type CryptoLine } from '#firmware/sdp/crypto-attribute.ts';
import type { LocalSecurity } from '#firmware/sdp/media-security.ts';
import type { LineMediaSettings, LineSettings, SoundSettings } from './phone-settings.ts';

/** For calls that come straight to our address: nobody has said anything about them. */
const withoutLine: LineMediaSettings = { encryption: 'optional', keyExchange: 'sdes', nat: false, ice: null };

/** What a call that comes in wants of protection, with keys that no other call has; `undefined` = none. */
export function securityOfIncoming(line: LineSettings | undefined, sound: SoundSettings, entropy: Entropy): LocalSecurity | undefined {
  return securityOf(line?.media ?? withoutLine, sound, entropy);
}

/** The same of one that goes out. */
export function securityOfOutgoing(line: LineSettings | undefined, sound: SoundSettings, entropy: Entropy): LocalSecurity | undefined {
  return line && securityOf(line.media, sound, entropy);
}

function securityOf(line: LineMediaSettings, sound: SoundSettings, entropy: Entropy): LocalSecurity | undefined {
  if (line.encryption === 'off') return undefined;
  const { certificate, cipherSuites } = sound;
  const cryptos = cipherSuites.map((suite, index): CryptoLine => {
    const { keyLength, saltLength } = srtpSuites[suite];
    return { tag: index + 1, suite, key: base64Of(entropy.bytes(keyLength + saltLength)), mkiLength: 0 };
  });
  return { required: line.encryption === 'mandatory', offers: line.keyExchange, cryptos, fingerprint: certificate?.fingerprint };
}

/** What people should know of how a line protects sound. */
export function securityNotices({ name, media, transport, registrar, outboundProxy, aor }: LineSettings): string[] {
  if (media.encryption === 'off' || media.keyExchange !== 'sdes') return [];
  const server = outboundProxy ?? registrar ?? aor;
  const secured = transport === 'tls' || server.scheme === 'sips' || server.params.get('transport')?.toLowerCase() === 'tls';
  if (secured) return [];
  return [
    `line ${name} sends the keys of its encryption in messages that anybody on the way can read: set line.${name}.transport to tls, or line.${name}.keyExchange to dtls`,
  ];
}
