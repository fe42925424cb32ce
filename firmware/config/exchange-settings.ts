import { hostAndPort, ipAddress, realm } from './checks.ts';
import { choice, duration, integer, list, type Setting, type SettingValue, text } from './setting.ts';

/** Settings of the exchange, which keeps them itself. */
export const exchangeSettings = {
  'exchange.address': text({
    title: 'Address of the exchange',
    description: 'Address of this machine on which the exchange receives SIP.',
    owner: 'exchange',
    restart: true,
    default: '0.0.0.0',
    check: ipAddress,
  }),
  'exchange.port': integer({
    title: 'Port of the exchange',
    description: 'UDP and TCP port of the exchange; another than that of the phone on the same machine.',
    owner: 'exchange',
    restart: true,
    default: 5070,
    minimum: 1,
    maximum: 65_535,
  }),
  'exchange.realm': text({
    title: 'Realm',
    description: 'Realm of its digest authentication. Passwords must be set anew after a change.',
    owner: 'exchange',
    restart: true,
    default: 'hookswitch',
    check: realm,
  }),
  'exchange.digest': choice({
    title: 'Digest algorithms',
    description:
      'How phones may prove their password: strongest offers SHA-256 and then MD5, and MD5 alone to phones that fail at the first algorithm they do not know; sha256 accepts nothing weaker.',
    owner: 'exchange',
    choices: ['strongest', 'sha256', 'md5'],
    default: 'strongest',
  }),
  'exchange.domains': list({
    title: 'Domains',
    description: 'Domains whose users it serves, beside its own addresses.',
    owner: 'exchange',
    check: hostAndPort,
  }),
  'exchange.minimumExpires': duration({
    title: 'Shortest registration',
    description: 'Shorter ones are refused with 423.',
    owner: 'exchange',
    unit: 's',
    default: 60,
    minimum: 1,
    maximum: 3600,
  }),
  'exchange.maximumExpires': duration({
    title: 'Longest registration',
    description: 'Longer ones are cut to it.',
    owner: 'exchange',
    unit: 's',
    default: 3600,
    minimum: 60,
    maximum: 86_400,
  }),
  'exchange.rtpPortFrom': integer({
    title: 'First RTP port of its extensions',
    description: 'Sound of the echo test and the greeting; even.',
    owner: 'exchange',
    default: 16_600,
    minimum: 1024,
    maximum: 65_534,
  }),
  'exchange.rtpPortTo': integer({
    title: 'Last RTP port of its extensions',
    description: 'A call to an extension takes two.',
    owner: 'exchange',
    default: 16_663,
    minimum: 1025,
    maximum: 65_535,
  }),
  'exchange.greeting': text({
    title: 'Greeting',
    description: 'Path of the WAV file that extension 601 plays; empty = the one that comes with the firmware.',
    owner: 'exchange',
  }),
} as const satisfies Readonly<Record<string, Setting<SettingValue>>>;
