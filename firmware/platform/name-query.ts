import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { createConnection, isIP, isIPv6 } from 'node:net';
import { type Answer, type DecodedPacket, decode, encode, type Packet, streamEncode } from 'dns-packet';
import { type Entropy, randomUint32 } from '../core/entropy.ts';
import type { NameAnswer, NameQuestion, NameRecord } from '../sip/transport/name-records.ts';
import type { SocketAddress } from './udp-socket.ts';

export interface NameQueryOptions {
  readonly entropy: Entropy;
  /** Name servers as `address` or `address:port`; those of the system unless given. */
  readonly servers?: readonly string[];
  /** Names of this machine's own. */
  readonly hostsFile?: string;
  /** How long one name server may take, ms. */
  readonly patienceMs?: number;
}

const patienceMs = 1_500;
const rounds = 2;
const serversAtMost = 3;
/** RFC 6891: what fits into one datagram on any network. */
const payloadBytes = 1_232;
const longestReply = 65_535;
/** How long the hosts file and the system's own ways are believed, s. */
const systemTtl = 60;
/** Where a name server says nothing of it. */
const missingTtl = 30;
const hostsFileAtMost = 1 << 20;

const failed: NameAnswer = { records: [], ttl: 0, failed: true };

/**
 * Asks DNS with the time each answer is good, which Node's resolver does not tell for NAPTR and SRV.
 *
 *     hosts file ─► name servers by UDP, by TCP what is too long ─► the system's resolver (mDNS, search domains) for addresses
 */
export class NameQuery {
  readonly #options: NameQueryOptions;

  constructor(options: NameQueryOptions) {
    this.#options = options;
  }

  /** Never rejects: that nobody could be asked is an answer too. */
  async query(question: NameQuestion): Promise<NameAnswer> {
    const { type, name } = question;
    const isAddress = type === 'A' || type === 'AAAA';
    const own = isAddress ? await this.#ownAddresses(type, name) : [];
    if (own.length > 0) return { records: own, ttl: systemTtl, failed: false };
    const answer = name.includes('.') && !name.endsWith('.local') ? await this.#askServers(question) : failed;
    if (!isAddress || answer.records.length > 0 || this.#options.servers) return answer;
    const found = await systemAddresses(type, name);
    return found.length > 0 ? { records: found, ttl: systemTtl, failed: false } : answer;
  }

  async #ownAddresses(type: 'A' | 'AAAA', name: string): Promise<readonly NameRecord[]> {
    const text = await readFile(this.#options.hostsFile ?? '/etc/hosts', 'utf8').catch(() => '');
    const wanted = name.toLowerCase();
    const lines = text.slice(0, hostsFileAtMost).split('\n');
    const entries = lines.map((line) => (line.split('#', 1)[0] ?? '').trim().split(/\s+/));
    const family = type === 'A' ? 4 : 6;
    return entries.flatMap(([address = '', ...names]) =>
      isIP(address) === family && names.some((one) => one.toLowerCase() === wanted) ? [{ type, address }] : [],
    );
  }

  async #askServers(question: NameQuestion): Promise<NameAnswer> {
    const servers = (this.#options.servers ?? new Resolver().getServers())
      .slice(0, serversAtMost)
      .flatMap((text) => endpointOf(text) ?? []);
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) {
        const answer = await this.#askServer(server, question);
        if (answer) return answer;
      }
    }
    return failed;
  }

  /** `undefined` when the server says nothing of use. */
  async #askServer(server: SocketAddress, question: NameQuestion): Promise<NameAnswer | undefined> {
    const query: Packet = {
      type: 'query',
      id: randomUint32(this.#options.entropy) & 0xffff,
      flags: 0x100,
      questions: [{ type: question.type, name: question.name }],
      additionals: [
        { type: 'OPT', name: '.', udpPayloadSize: payloadBytes, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] },
      ],
    };
    const patience = this.#options.patienceMs ?? patienceMs;
    const short = await byDatagram(server, query, patience);
    const reply = short?.flag_tc ? await byStream(server, query, patience) : short;
    return reply && answerOf(reply, question);
  }
}

/** From a port of its own, so that nobody who does not see the question can answer it. */
function byDatagram(server: SocketAddress, query: Packet, patience: number): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    const finish = (reply: DecodedPacket | undefined): void => {
      clearTimeout(timer);
      socket.removeAllListeners('message');
      socket.close();
      resolve(reply);
      finished = true;
    };
    let finished = false;
    const timer = setTimeout(() => finish(undefined), patience);
    socket.on('error', () => finished || finish(undefined));
    socket.on('message', (bytes: Buffer) => {
      const reply = replyTo(query, bytes);
      if (reply) finish(reply);
    });
    socket.connect(server.port, server.address, () => {
      if (!finished) socket.send(encode(query));
    });
  });
}

function byStream(server: SocketAddress, query: Packet, patience: number): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: server.address, port: server.port });
    let received = Buffer.alloc(0);
    const finish = (reply: DecodedPacket | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(undefined), patience);
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const length = received.length >= 2 ? received.readUInt16BE(0) : longestReply;
      if (received.length >= 2 + length) finish(replyTo(query, received.subarray(2, 2 + length)));
    });
    socket.write(streamEncode(query));
  });
}

/** What comes from the network may be anything. */
function replyTo(query: Packet, bytes: Buffer): DecodedPacket | undefined {
  try {
    const reply = decode(bytes);
    const asked = query.questions?.[0];
    const echoed = reply.questions?.[0];
    const same = asked?.type === echoed?.type && asked?.name.toLowerCase() === echoed?.name.toLowerCase();
    return reply.type === 'response' && reply.id === query.id && same ? reply : undefined;
  } catch {
    return undefined;
  }
}

/** NXDOMAIN and an empty answer are answers (RFC 2308); any other failure is none. */
function answerOf(reply: DecodedPacket, { type }: NameQuestion): NameAnswer | undefined {
  const { rcode } = reply as DecodedPacket & { readonly rcode: string };
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') return undefined;
  const answers = reply.answers ?? [];
  const records = answers.flatMap((answer) => recordOf(answer, type) ?? []);
  const lives = answers.flatMap((answer) => ('ttl' in answer && answer.ttl !== undefined ? [answer.ttl] : []));
  if (records.length > 0) return { records, ttl: Math.min(...lives), failed: false };
  const authority = (reply.authorities ?? []).find((one) => one.type === 'SOA');
  const ttl = authority?.type === 'SOA' ? Math.min(authority.ttl ?? missingTtl, authority.data.minimum ?? missingTtl) : missingTtl;
  return { records, ttl, failed: false };
}

function recordOf(answer: Answer, wanted: NameQuestion['type']): NameRecord | undefined {
  if (answer.type !== wanted) return undefined;
  switch (answer.type) {
    case 'A':
    case 'AAAA':
      return isIP(answer.data) ? { type: answer.type, address: answer.data } : undefined;
    case 'SRV': {
      const { priority = 0, weight = 0, port, target } = answer.data;
      return { type: 'SRV', priority, weight, port, target: target === '.' ? '' : target };
    }
    case 'NAPTR': {
      const { order, preference, flags, services, replacement } = answer.data;
      return { type: 'NAPTR', order, preference, flags, service: services, replacement: replacement === '.' ? '' : replacement };
    }
    default:
      return undefined;
  }
}

async function systemAddresses(type: 'A' | 'AAAA', name: string): Promise<readonly NameRecord[]> {
  const found = await lookup(name, { all: true, family: type === 'A' ? 4 : 6 }).catch(() => []);
  return found.map(({ address }) => ({ type, address }));
}

/** `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
function endpointOf(text: string): SocketAddress | undefined {
  if (isIP(text)) return { address: text, port: 53 };
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, Math.max(0, colon)).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(colon + 1));
  return isIP(address) && port > 0 && port <= 65_535 ? { address, port } : undefined;
}
