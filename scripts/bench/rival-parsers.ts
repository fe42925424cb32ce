import { createRequire } from 'node:module';

/** What a stack asks of a message, one after the other; the same for every parser. Quotes may still be around text. */
export type ReadValues = (bytes: Uint8Array, values: Values) => void;

/** Values in the order they are asked for; used again for the next message. */
export class Values {
  readonly list: unknown[] = new Array(128).fill(undefined);
  count = 0;

  put(value: unknown): void {
    this.list[this.count++] = value;
  }

  taken(): readonly unknown[] {
    return this.list.slice(0, this.count);
  }
}

export type AddressKind = 'party' | 'contact' | 'route';

/** A SIP parser of npm, and how it is asked for the values that `full parse` asks for: each by its name, addresses as values. */
export interface RivalParser {
  readonly name: string;
  readonly read: ReadValues;
  /** False where a bare `rport` is lost and credentials stay text. */
  readonly readsAll: boolean;
}

/** None of them has types. */
type Untyped = Record<string, (...values: readonly unknown[]) => unknown>;
type Params = Readonly<Record<string, unknown>>;

interface PlainUri {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
}

interface PlainAddress {
  readonly name?: string;
  readonly uri: string | PlainUri;
  readonly params: Params;
}

interface PlainVia {
  readonly protocol: string;
  readonly host: string;
  readonly port?: number;
  readonly params: Params;
}

/** Of sip; drachtio-sip gives values of the same form, header by header. */
interface PlainMessage {
  readonly method?: string;
  readonly status?: number;
  readonly uri?: string;
  readonly header: (name: string) => unknown;
}

interface DrachtioMessage {
  readonly method?: string;
  readonly status?: number;
  readonly uri?: string;
  readonly headers: Readonly<Record<string, unknown>>;
  has(name: string): boolean;
  get(name: string): unknown;
  getParsedHeader(name: string): unknown;
}

interface GrammarUri {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
  getParam(name: string): unknown;
  hasParam(name: string): boolean;
}

interface GrammarAddress {
  readonly uri: GrammarUri;
  readonly display_name?: string;
  readonly displayName?: string;
  getParam(name: string): unknown;
}

/** jssip and sip.js come from one grammar. */
interface GrammarMessage {
  readonly method?: string;
  readonly status_code?: number;
  readonly statusCode?: number;
  readonly ruri?: GrammarUri;
  readonly from: GrammarAddress;
  readonly to: GrammarAddress;
  readonly call_id?: string;
  readonly callId?: string;
  readonly cseq: number | { readonly value: number; readonly method: string };
  getHeader(name: string): unknown;
  getHeaders(name: string): readonly unknown[];
  parseHeader(name: string, index: number): unknown;
}

interface GrammarVia {
  readonly transport: string;
  readonly host: string;
  readonly port?: number;
  readonly branch?: string;
  readonly rport?: unknown;
  readonly received?: string;
}

const require = createRequire(import.meta.url);

/** The four SIP parsers that npm has; they read text, so making it of the bytes is part of their work as it is of ours. */
export async function rivalParsers(): Promise<readonly RivalParser[]> {
  const sip = require('sip') as Untyped;
  const drachtio = require('drachtio-sip') as { SipMessage: new (text: string) => DrachtioMessage; parser: Untyped };
  const jssip = require('jssip/lib/Parser.js') as Untyped;
  const { Parser: sipJs } = (await import('sip.js/lib/core/messages/parser.js')) as unknown as { Parser: Untyped };
  const quiet = { log: () => undefined, warn: () => undefined, debug: () => undefined, error: () => undefined };
  return [
    {
      name: 'sip',
      readsAll: true,
      read: (bytes, values) => {
        const message = whole(sip.parse?.(textOf(bytes))) as PlainMessage & { headers: Readonly<Record<string, unknown>> };
        return readPlain(message, (name) => message.headers[name], sip, values);
      },
    },
    {
      name: 'drachtio-sip',
      readsAll: true,
      read: (bytes, values) => {
        const message = new drachtio.SipMessage(textOf(bytes));
        return readPlain(message, (name) => (message.has(name) ? message.getParsedHeader(name) : undefined), drachtio.parser, values);
      },
    },
    { name: 'jssip', readsAll: false, read: (bytes, values) => readGrammar(jssip.parseMessage?.(textOf(bytes), {}), values) },
    { name: 'sip.js', readsAll: false, read: (bytes, values) => readGrammar(sipJs.parseMessage?.(textOf(bytes), quiet), values) },
  ];
}

function readPlain(
  message: { readonly method?: string; readonly status?: number; readonly uri?: string },
  header: (name: string) => unknown,
  parser: Untyped,
  values: Values,
): void {
  if (message.uri !== undefined) {
    const uri = uriOf(message.uri, parser);
    values.put(message.method);
    values.put(uri.user);
    values.put(uri.host);
  } else values.put(message.status);
  for (const via of header('via') as readonly PlainVia[]) {
    values.put(via.protocol);
    values.put(via.host);
    values.put(via.port);
    values.put(via.params.branch);
    values.put('rport' in via.params);
    values.put(via.params.received);
  }
  putPlain(header('from') as PlainAddress, 'party', parser, values);
  putPlain(header('to') as PlainAddress, 'party', parser, values);
  values.put(header('call-id'));
  const cSeq = header('cseq') as { readonly seq: number; readonly method: string };
  values.put(cSeq.seq);
  values.put(cSeq.method);
  for (const address of (header('contact') ?? []) as readonly PlainAddress[]) putPlain(address, 'contact', parser, values);
  for (const address of (header('record-route') ?? []) as readonly PlainAddress[]) putPlain(address, 'route', parser, values);
  for (const address of (header('route') ?? []) as readonly PlainAddress[]) putPlain(address, 'route', parser, values);
  for (const credentials of (header('authorization') ?? []) as readonly Params[]) {
    for (const name of credentialNames) values.put(credentials[name]);
  }
}

function uriOf(uri: string | PlainUri, parser: Untyped): PlainUri {
  return whole(typeof uri === 'string' ? parser.parseUri?.(uri) : uri) as PlainUri;
}

function putPlain(address: PlainAddress, kind: AddressKind, parser: Untyped, values: Values): void {
  const uri = uriOf(address.uri, parser);
  values.put(uri.user);
  values.put(uri.host);
  values.put(uri.port);
  if (kind === 'party') {
    values.put(address.name);
    values.put(address.params.tag);
  } else if (kind === 'contact') {
    values.put(uri.params.transport);
    values.put(address.params.expires);
  } else values.put('lr' in uri.params);
}

function putGrammar(address: GrammarAddress, kind: AddressKind, values: Values): void {
  const { uri } = address;
  values.put(uri.user);
  values.put(uri.host);
  values.put(uri.port);
  if (kind === 'party') {
    values.put(address.display_name ?? address.displayName);
    values.put(address.getParam('tag'));
  } else if (kind === 'contact') {
    values.put(uri.getParam('transport'));
    values.put(address.getParam('expires'));
  } else values.put(uri.hasParam('lr'));
}

/** What a registrar looks at. */
export const credentialNames = ['username', 'realm', 'nonce', 'uri', 'response', 'algorithm', 'cnonce', 'qop', 'nc', 'opaque'];

function readGrammar(parsed: unknown, values: Values): void {
  const message = whole(parsed) as GrammarMessage;
  if (message.ruri !== undefined) {
    values.put(message.method);
    values.put(message.ruri.user);
    values.put(message.ruri.host);
  } else values.put(message.status_code ?? message.statusCode);
  for (let index = 0; index < message.getHeaders('via').length; index++) {
    const via = message.parseHeader('via', index) as GrammarVia;
    values.put(via.transport);
    values.put(via.host);
    values.put(via.port);
    values.put(via.branch);
    values.put('rport' in via);
    values.put(via.received);
  }
  putGrammar(message.from, 'party', values);
  putGrammar(message.to, 'party', values);
  values.put(message.call_id ?? message.callId);
  values.put(typeof message.cseq === 'number' ? message.cseq : message.cseq.value);
  values.put(typeof message.cseq === 'number' ? String(message.getHeader('cseq')).split(' ')[1] : message.cseq.method);
  for (const name of ['contact', 'record-route', 'route']) {
    for (let index = 0; index < message.getHeaders(name).length; index++) {
      putGrammar(message.parseHeader(name, index) as GrammarAddress, name === 'contact' ? 'contact' : 'route', values);
    }
  }
  message.getHeader('authorization');
}

/** A rival that refuses the message must not look quick. */
function whole(message: unknown): unknown {
  if (message === undefined || message === null) throw new Error('a rival parser refused the message');
  return message;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
