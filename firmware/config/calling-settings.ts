import { addressAndPort, country, dialPattern, hostAndPort, ipAddress, name, path, sipUri } from './checks.ts';
import { choice, duration, flag, integer, list, type Setting, type SettingValue, secret, text } from './setting.ts';

/** Settings of calls: SIP, lines and the phone. */
export const callingSettings = {
  'sip.address': list({
    title: 'SIP addresses',
    description: 'Addresses of this machine on which SIP is received; :: is every address, IPv6 and IPv4, 0.0.0.0 every IPv4 address.',
    owner: 'phone',
    restart: true,
    default: ['::'],
    check: ipAddress,
  }),
  'sip.port': integer({
    title: 'SIP port',
    description: 'UDP and TCP port on which SIP is received.',
    owner: 'phone',
    restart: true,
    default: 5060,
    minimum: 1,
    maximum: 65_535,
  }),
  'sip.tls.port': integer({
    title: 'TLS port',
    description: 'TCP port on which SIP over TLS is received; 0, or no certificate = calls come by the connection to the server.',
    owner: 'phone',
    restart: true,
    default: 5061,
    minimum: 0,
    maximum: 65_535,
  }),
  'sip.tls.certificate': text({
    title: 'Certificate',
    description:
      'PEM file with the certificate of this device and those that lead to its authority, shown to servers that ask and to who connects. ' +
      'A file that changes counts for the next connection.',
    owner: 'phone',
    restart: true,
    check: path,
  }),
  'sip.tls.key': text({
    title: 'Private key',
    description: 'PEM file with the key of the certificate; empty = it is in the same file.',
    owner: 'phone',
    restart: true,
    check: path,
  }),
  'sip.tls.caFile': text({
    title: 'Authorities',
    description: 'PEM file with the only authorities that servers’ certificates may come from; empty = the public ones.',
    owner: 'phone',
    restart: true,
    check: path,
  }),
  'sip.tls.verify': flag({
    title: 'Verify servers',
    description:
      'Talk only to servers whose certificate is valid and for the domain that was meant. Off, anybody on the way can listen in.',
    owner: 'phone',
    restart: true,
    default: true,
  }),
  'sip.webSocketPath': text({
    title: 'Path of WebSockets',
    description: 'What the phone asks the server of a line with transport ws or wss for, such as /ws.',
    owner: 'phone',
    restart: true,
    default: '/',
    check: path,
  }),
  'sip.nameServers': list({
    title: 'Name servers',
    description: 'DNS servers that are asked for the servers of lines, such as 192.0.2.53 or 192.0.2.53:53; empty = those of the system.',
    owner: 'phone',
    restart: true,
    check: addressAndPort,
  }),
  'sip.acceptDirectCalls': flag({
    title: 'Accept direct calls',
    description:
      'Take calls from any address, not only those that come through the registrar of a line. Invites ghost calls on open networks.',
    owner: 'phone',
    restart: true,
    default: false,
  }),
  'sip.acceptMessages': flag({
    title: 'Accept text messages',
    description: 'Show text messages (SIP MESSAGE) of those who may call; off, they are refused with 403.',
    owner: 'phone',
    restart: true,
    default: true,
  }),
  'sip.sessionExpires': duration({
    title: 'Session timer',
    description:
      'A call is refreshed at least this often, so that a far end that has vanished is noticed (RFC 4028); 0 = only for those who ask for it.',
    owner: 'phone',
    restart: true,
    unit: 's',
    default: 1800,
    minimum: 0,
    maximum: 86_400,
  }),
  'sip.minimumSessionExpires': duration({
    title: 'Shortest session timer',
    description: 'Calls that would have to be refreshed more often are answered 422 with this time.',
    owner: 'phone',
    restart: true,
    unit: 's',
    default: 90,
    minimum: 90,
    maximum: 3600,
  }),
  'sip.reliableProvisional': choice({
    title: 'Acknowledged ringing',
    description:
      'Provisional responses are acknowledged (RFC 3262): off = never, supported = with far ends that can, required = no call without.',
    owner: 'phone',
    restart: true,
    choices: ['off', 'supported', 'required'],
    default: 'supported',
  }),
  'sip.messagesPerSecond': integer({
    title: 'Messages a second',
    description:
      'What any one address may send, four seconds’ worth at once; more is dropped without an answer. Servers of lines and this machine are ' +
      'not counted; 0 = no limit.',
    owner: 'phone',
    restart: true,
    default: 50,
    minimum: 0,
    maximum: 10_000,
  }),
  'sip.connections': integer({
    title: 'Connections',
    description: 'SIP connections at once; eight of them are kept for those that the phone opens itself.',
    owner: 'phone',
    restart: true,
    default: 64,
    minimum: 10,
    maximum: 1000,
  }),
  'sip.connectionsPerSource': integer({
    title: 'Connections of a source',
    description: 'SIP connections that one address may hold open to the phone.',
    owner: 'phone',
    restart: true,
    default: 8,
    minimum: 1,
    maximum: 1000,
  }),
  'sip.messageSeconds': duration({
    title: 'Time for a message',
    description: 'A connection on which a SIP message takes longer from its first octet to its last is closed.',
    owner: 'phone',
    restart: true,
    unit: 's',
    default: 10,
    minimum: 1,
    maximum: 120,
  }),
  'sip.largestDatagram': integer({
    title: 'Largest datagram',
    description: 'Octets above which a request of a UDP line goes by TCP, and by UDP only when the server takes no TCP (RFC 3261 §18.1.1).',
    owner: 'phone',
    restart: true,
    default: 1300,
    minimum: 500,
    maximum: 65_000,
  }),
  'sip.trace': flag({
    title: 'SIP trace',
    description: 'Write every SIP message to the log, credentials masked.',
    owner: 'phone',
    restart: true,
    default: false,
  }),
  'line.*.aor': text({
    title: 'Address',
    description: 'The address of record by which others call this line, such as sip:alice@example.org.',
    owner: 'phone',
    check: sipUri,
  }),
  'line.*.displayName': text({ title: 'Name', description: 'The name that those who are called see.', owner: 'phone' }),
  'line.*.registrar': text({
    title: 'Registrar',
    description: 'Where the line registers, such as sip:pbx.example.org:5060; empty = the domain of its address.',
    owner: 'phone',
    check: sipUri,
  }),
  'line.*.register': flag({
    title: 'Register',
    description: 'Register with the registrar, so that calls of others find this line; off, it only calls out.',
    owner: 'phone',
    default: true,
  }),
  'line.*.subscribeMessages': flag({
    title: 'Ask for messages',
    description: 'Subscribe to the state of the mailbox (RFC 3842). What the server tells unasked lights the lamp in any case.',
    owner: 'phone',
    default: false,
  }),
  'line.*.outboundProxy': text({
    title: 'Outbound proxy',
    description: 'Where all requests of the line are sent first; empty = straight to their target.',
    owner: 'phone',
    check: sipUri,
  }),
  'line.*.otherServers': list({
    title: 'Other servers',
    description:
      'Tried in order while the outbound proxy, or without one the registrar, does not answer, such as sip:pbx2.example.org. Servers that DNS ' +
      'names for one domain (SRV) need not be listed.',
    owner: 'phone',
    check: sipUri,
  }),
  'line.*.transport': choice({
    title: 'Transport',
    description:
      'How SIP travels for this line where its addresses do not say so themselves; auto = as DNS says (NAPTR, SRV), else by UDP; ws, wss = by ' +
      'WebSocket, plain or secured (RFC 7118).',
    owner: 'phone',
    choices: ['auto', 'udp', 'tcp', 'tls', 'ws', 'wss'],
    default: 'auto',
  }),
  'line.*.username': text({
    title: 'User name',
    description: 'For authentication; empty = the user part of the address.',
    owner: 'phone',
  }),
  'line.*.password': secret({ title: 'Password', description: 'For authentication.', owner: 'phone' }),
  'line.*.expires': duration({
    title: 'Registration time',
    description: 'How long each registration is asked to last.',
    owner: 'phone',
    unit: 's',
    default: 3600,
    minimum: 60,
    maximum: 86_400,
  }),
  'line.*.flows': integer({
    title: 'Registrations at once',
    description:
      'By how many of its servers (outbound proxy, or registrar, and the other servers) the line is registered at the same time, so that calls ' +
      'come through while one of them is away (RFC 5626). The registrar must know that they are of one phone.',
    owner: 'phone',
    default: 1,
    minimum: 1,
    maximum: 4,
  }),
  'line.*.keepAlive': choice({
    title: 'Keep-alive',
    description:
      'What keeps the way through routers open to a server that is reached by UDP: auto = STUN where the registrar sees the line behind a NAT, ' +
      'stun = always, crlf = empty lines for servers that dislike STUN, off = nothing.',
    owner: 'phone',
    choices: ['auto', 'stun', 'crlf', 'off'],
    default: 'auto',
  }),
  'line.*.gruu': flag({
    title: 'Use GRUU',
    description:
      'Let far ends know this phone by the address of its own that the registrar gives it (RFC 5627), so that transfers reach this very phone. ' +
      'The proxies of the line must look such an address up also within calls.',
    owner: 'phone',
    default: false,
  }),
  'line.*.forward': text({
    title: 'Forward to',
    description: 'Incoming calls are answered 302 with this address; empty = they ring here.',
    owner: 'phone',
    check: sipUri,
  }),
  'line.*.doNotDisturb': flag({
    title: 'Do not disturb',
    description: 'Incoming calls of the line are refused without ringing.',
    owner: 'phone',
    default: false,
  }),
  'phone.defaultLine': text({
    title: 'Default line',
    description: 'The line that calls out unless another is chosen; empty = the first by name.',
    owner: 'phone',
    check: name,
  }),
  'phone.autoDomain': text({
    title: 'Domain of numbers',
    description: 'Domain added to a dialled number; empty = the domain of the calling line.',
    owner: 'phone',
    check: hostAndPort,
  }),
  'phone.dialPlan': list({
    title: 'Dial plan',
    description:
      'Patterns of complete numbers: x is any digit, [2-5] one of a set, a final dot any number of digits more. ' +
      'A number that fits is dialled at once, any other after the inter-digit time or #.',
    owner: 'phone',
    check: dialPattern,
  }),
  'phone.interDigitMs': duration({
    title: 'Inter-digit time',
    description: 'A number is dialled this long after its last digit.',
    owner: 'phone',
    unit: 'ms',
    default: 4000,
    minimum: 500,
    maximum: 30_000,
  }),
  'phone.digitMode': choice({
    title: 'Digits in a call',
    description:
      'How keys pressed in a call reach the far end: SIP INFO, telephone events in RTP (RFC 4733), both, in the sound itself, or auto = events ' +
      'where the far end takes them, else INFO. Where a far end takes nothing of it, they sound.',
    owner: 'phone',
    choices: ['info', 'rfc4733', 'both'],
    default: 'info',
  }),
  'phone.infoFormat': choice({
    title: 'Form of INFO digits',
    description: 'Body of SIP INFO: application/dtmf-relay or application/dtmf.',
    owner: 'phone',
    choices: ['dtmf-relay', 'dtmf'],
    default: 'dtmf-relay',
  }),
  'phone.ringSeconds': duration({
    title: 'Ringing time',
    description: 'An incoming call that nobody accepts is answered 480 after this long.',
    owner: 'phone',
    unit: 's',
    default: 60,
    minimum: 5,
    maximum: 600,
  }),
  'phone.noAnswerSeconds': duration({
    title: 'Patience',
    description: 'An outgoing call that nobody accepts is given up after this long.',
    owner: 'phone',
    unit: 's',
    default: 90,
    minimum: 5,
    maximum: 600,
  }),
  'phone.callWaiting': flag({
    title: 'Call waiting',
    description: 'A second caller is announced by a tone; when off he hears the busy tone.',
    owner: 'phone',
    default: true,
  }),
  'phone.acceptTransfers': choice({
    title: 'Accept transfers',
    description:
      'Whether whoever we talk to may pass us on to somebody else, or put somebody else in their place (REFER, Replaces): within a call, or ' +
      'never. What comes from outside a call is always refused.',
    owner: 'phone',
    choices: ['inCall', 'never'],
    default: 'inCall',
  }),
  'phone.doNotDisturbStatus': integer({
    title: 'Do not disturb answer',
    description: 'Status code for callers of a line that is not to be disturbed: 480 is unavailable (RFC 3261 §21.4.18), 486 is busy.',
    owner: 'phone',
    default: 480,
    minimum: 480,
    maximum: 486,
    oneOf: [480, 486],
  }),
  'phone.country': text({
    title: 'Country',
    description: 'Country of the dial, ringback and busy tones, as two letters (ISO 3166).',
    owner: 'media',
    default: 'us',
    check: country,
  }),
} as const satisfies Readonly<Record<string, Setting<SettingValue>>>;
