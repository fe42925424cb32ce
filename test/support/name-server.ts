import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Answer, decode, encode, type Packet, streamDecode, streamEncode } from 'dns-packet';
import type { Test } from 'tap';

/** A name server on loopback, UDP and TCP on one port, that says what a test tells it. */
export class NameServer {
  readonly #records: Answer[] = [];
  /** What it was asked, as `TYPE name`. */
  readonly asked: string[] = [];
  /** `udp` or `tcp` for each question. */
  readonly transports: string[] = [];
  /** Answers over UDP are cut short: ask again by TCP. */
  truncates = false;
  /** It hears and says nothing. */
  isSilent = false;
  /** Sent in place of any answer. */
  garbage: Uint8Array | undefined;
  /** The code of an answer to a name it does not know. */
  missing: 'NXDOMAIN' | 'SERVFAIL' = 'NXDOMAIN';
  port = 0;

  static async start(t: Test): Promise<NameServer> {
    const server = new NameServer();
    const tcp = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (bytes) => socket.end(streamEncode(server.#reply(streamDecode(bytes), 'tcp'))));
    });
    tcp.listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    server.port = (tcp.address() as AddressInfo).port;
    const udp = createSocket('udp4');
    udp.on('message', (bytes, { address, port }) => {
      if (server.isSilent) server.asked.push('unheard');
      else udp.send(server.garbage ?? encode(server.#reply(decode(bytes), 'udp')), port, address);
    });
    udp.bind(server.port, '127.0.0.1');
    await once(udp, 'listening');
    t.teardown(() => {
      udp.close();
      tcp.close();
    });
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  add(...records: Answer[]): void {
    this.#records.push(...records);
  }

  #reply(query: Packet, transport: 'udp' | 'tcp'): Packet {
    const [question] = query.questions ?? [];
    const name = question?.name.toLowerCase() ?? '';
    this.asked.push(`${question?.type} ${name}`);
    this.transports.push(transport);
    const named = this.#records.filter((record) => record.name === name);
    const answers = named.filter(({ type }) => type === question?.type || type === 'CNAME');
    const cut = this.truncates && transport === 'udp';
    // RCODE 2 is SERVFAIL, 3 NXDOMAIN; 0x200 says that the answer is cut short.
    const code = named.length > 0 ? 0 : this.missing === 'SERVFAIL' ? 2 : 3;
    const soa = { mname: 'ns.example', rname: 'root.example', serial: 1, refresh: 60, retry: 60, expire: 60, minimum: 17 };
    return {
      type: 'response',
      ...(query.id !== undefined && { id: query.id }),
      flags: 0x180 | code | (cut ? 0x200 : 0),
      questions: query.questions ?? [],
      answers: cut ? [] : answers,
      authorities: answers.length > 0 || cut ? [] : [{ type: 'SOA', name: 'example', ttl: 90, data: soa }],
    };
  }
}
