import { createRequire } from 'node:module';

/** A SIP parser of npm, doing what `full parse` does: From, To, Via, Contact, CSeq, routes and credentials as values, their URIs too. */
export interface RivalParser {
  readonly name: string;
  readonly parse: (bytes: Uint8Array) => unknown;
}

/** None of them has types. */
type Untyped = Record<string, (...values: readonly unknown[]) => unknown>;

interface AddressLike {
  readonly uri: string;
}

/** Of sip: URIs are still text in it. */
interface PlainMessage {
  readonly uri?: string;
  readonly headers: Readonly<Record<string, AddressLike | readonly AddressLike[] | undefined>>;
}

interface DrachtioMessage {
  readonly uri?: string;
  has(name: string): boolean;
  getParsedHeader(name: string): unknown;
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
    { name: 'sip', parse: (bytes) => urisOf(whole(sip.parse?.(textOf(bytes))) as PlainMessage, sip) },
    { name: 'drachtio-sip', parse: (bytes) => urisOf(drachtioValues(new drachtio.SipMessage(textOf(bytes))), drachtio.parser) },
    { name: 'jssip', parse: (bytes) => whole(jssip.parseMessage?.(textOf(bytes), {})) },
    { name: 'sip.js', parse: (bytes) => whole(sipJs.parseMessage?.(textOf(bytes), quiet)) },
  ];
}

const drachtioHeaders = ['from', 'to', 'via', 'contact', 'cseq', 'route', 'record-route', 'authorization'];

function drachtioValues(message: DrachtioMessage): PlainMessage {
  const headers: Record<string, AddressLike | readonly AddressLike[]> = {};
  for (const name of drachtioHeaders) {
    if (message.has(name)) headers[name] = message.getParsedHeader(name) as AddressLike | readonly AddressLike[];
  }
  return message.uri === undefined ? { headers } : { uri: message.uri, headers };
}

/** The message, once its URIs are read as ours and those of the others are. */
function urisOf(message: PlainMessage, parser: Untyped): PlainMessage {
  const { from, to, contact, route } = message.headers;
  for (const address of [from, to, contact, route, message.headers['record-route']].flat()) {
    if (address !== undefined) whole(parser.parseUri?.(address.uri));
  }
  if (message.uri !== undefined) whole(parser.parseUri?.(message.uri));
  return message;
}

/** A rival that refuses the message must not look quick. */
function whole(message: unknown): unknown {
  if (message === undefined || message === null) throw new Error('a rival parser refused the message');
  return message;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
