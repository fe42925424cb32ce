import { hostAndPort, srtpSuite } from './checks.ts';
import { choice, flag, list, secret, text } from './setting.ts';

/** Settings of how sound travels: protected or not, and through which network. */
export const mediaSettings = {
  'line.*.encryption': choice({
    title: 'Encryption',
    description:
      'Whether the sound of the line’s calls is encrypted (SRTP): off = never, optional = with far ends that can, mandatory = no call without.',
    owner: 'phone',
    choices: ['off', 'optional', 'mandatory'],
    default: 'off',
  }),
  'line.*.keyExchange': choice({
    title: 'Exchange of keys',
    description:
      'How keys are offered: sdes = in the SIP message, which must then travel by TLS or be read by anybody on the way; dtls = by a handshake ' +
      'between the telephones. Calls that come in may use either.',
    owner: 'phone',
    choices: ['sdes', 'dtls'],
    default: 'sdes',
  }),
  'line.*.nat': flag({
    title: 'Far ends behind a NAT',
    description:
      'Send sound to where the first packets come from, whatever the address. Off, only to the address that the far end named, at whichever ' +
      'port of it the first packets come from.',
    owner: 'phone',
    default: false,
  }),
  'line.*.ice': flag({
    title: 'Ways through NATs',
    description:
      'Search with the far end for a way that sound can take (ICE), with the help of the servers below. For a phone and far ends behind ' +
      'routers without a server that relays sound anyway.',
    owner: 'phone',
    default: false,
  }),
  'line.*.stunServer': text({
    title: 'STUN server',
    description: 'Tells the phone its address outside, such as stun.example.org or 192.0.2.1:3478.',
    owner: 'phone',
    check: hostAndPort,
  }),
  'line.*.turnServer': text({
    title: 'TURN server',
    description: 'Relays sound where there is no direct way, such as turn.example.org or 192.0.2.1:3478.',
    owner: 'phone',
    check: hostAndPort,
  }),
  'line.*.turnUsername': text({ title: 'TURN user name', description: 'For the TURN server.', owner: 'phone' }),
  'line.*.turnPassword': secret({ title: 'TURN password', description: 'For the TURN server.', owner: 'phone' }),
  'rtp.cipherSuites': list({
    title: 'Cipher suites',
    description: 'Ways of encryption with keys in the SIP message, the best first.',
    owner: 'phone',
    default: ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_32'],
    allowed:
      'AES_CM_128_HMAC_SHA1_80, AES_CM_128_HMAC_SHA1_32, AES_256_CM_HMAC_SHA1_80, AES_256_CM_HMAC_SHA1_32, AEAD_AES_128_GCM, AEAD_AES_256_GCM',
    check: srtpSuite,
  }),
};
