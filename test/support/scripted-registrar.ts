import { digestResponse } from '#firmware/sip/digest.ts';
import { type DigestAlgorithm, digestAlgorithms } from '#firmware/sip/digest-hash.ts';
import { buildResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import { responseTarget, stampRequest } from '#firmware/sip/transaction/matching.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import { ScriptedPeer } from './sip-agents.ts';

type Header = readonly [name: string, value: string];

/** A registrar as small as a test needs: challenges, checks, keeps the Contacts it was told. Each oddity is a property to set. */
export class ScriptedRegistrar extends ScriptedPeer {
  readonly #network: SimulatedNetwork;
  readonly realm = 'example.org';
  /** What it asks for; empty for a registrar that trusts everybody. */
  algorithms: readonly DigestAlgorithm[] = ['MD5', 'SHA-256'];
  password = 'alice-password';
  /** The nonce that is good now; changing it makes others stale. */
  nonce = 'nonce-1';
  /** Said in a challenge to a nonce that is no more. */
  admitsStale = true;
  granted: number | undefined = undefined;
  /** Gets every REGISTER first; what it gives is the answer. */
  rule: (request: Request) => Response | undefined = () => undefined;
  readonly contacts: string[][] = [];

  constructor(network: SimulatedNetwork, address = '192.0.2.10') {
    super(network, address);
    this.#network = network;
    this.onRequest = (request, flow) => this.#answer(request, flow);
  }

  get registers(): Request[] {
    return this.requests('REGISTER');
  }

  refuse(request: Request, statusCode: number, headers: readonly Header[] = []): Response {
    return buildResponse(request, statusCode, { toTag: 'registrar', headers });
  }

  #answer(received: Request, flow: Flow): void {
    const request = stampRequest(received, flow);
    if (request.method === 'ACK') return;
    const response = this.rule(request) ?? this.#judge(request);
    const { transport, address, port } = responseTarget(request, flow);
    this.#network.send(this.host, { transport, host: address, port, flow }, serializeMessage(response));
  }

  #judge(request: Request): Response {
    const problem = this.#problemWith(request);
    if (problem) return this.refuse(request, 401, this.#challenges(problem === 'stale'));
    if (request.method !== 'REGISTER') return this.refuse(request, 200);
    const contacts = request.headerValues('Contact');
    this.contacts.push([...contacts]);
    const expires = this.granted ?? request.expires ?? 3600;
    const bindings = contacts.map((contact) => ['Contact', `${contact};expires=${expires}`] as const);
    return this.refuse(request, 200, request.expires === 0 ? [] : bindings);
  }

  #problemWith(request: Request): 'missing' | 'wrong' | 'stale' | undefined {
    if (this.algorithms.length === 0) return undefined;
    const params = request.authorization[0]?.params;
    if (!params) return 'missing';
    if (params.get('nonce') !== this.nonce) return this.admitsStale ? 'stale' : 'wrong';
    const algorithm = digestAlgorithms.find((known) => known === (params.get('algorithm') ?? 'MD5'));
    if (!algorithm) return 'wrong';
    const right = digestResponse({
      algorithm,
      username: params.get('username') ?? '',
      realm: this.realm,
      password: this.password,
      method: request.method,
      uri: params.get('uri') ?? '',
      nonce: this.nonce,
      qop: { quality: 'auth', nonceCount: params.get('nc') ?? '', clientNonce: params.get('cnonce') ?? '' },
    });
    return params.get('response') === right ? undefined : 'wrong';
  }

  #challenges(stale: boolean): readonly Header[] {
    return this.algorithms.map((algorithm) => {
      const said = `Digest realm="${this.realm}", nonce="${this.nonce}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`;
      return ['WWW-Authenticate', said] as const;
    });
  }
}
