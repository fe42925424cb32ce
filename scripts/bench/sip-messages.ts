import { serializeMessage } from '#firmware/sip/message/build.ts';
import type { Message } from '#firmware/sip/message/message.ts';
import type { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseMessage, splitMessage } from '#firmware/sip/message/parse.ts';
import { type AddressKind, credentialNames, type ReadValues, rivalParsers, Values } from './rival-parsers.ts';
import { type BenchRow, median } from './row.ts';
import { callMessages, registerMessages, type Subject } from './sip-subjects.ts';

const rounds = 7;
const cpuMsPerRound = 60;

/**
 * CPU time of the message parser and serialiser per message, in this process, and how far npm's parsers are behind in the same run. Messages
 * differ from one to the next as those of real peers do, and each parser is asked for the same values by name: whether it gives them is
 * looked at before its time is taken. Rounds of all go in turn, so that a disturbance of the machine meets all.
 */
export async function sipMessageRows(): Promise<BenchRow[]> {
  const rivals = await rivalParsers();
  const subjects = [...callMessages(), registerMessages()];
  return subjects.flatMap((subject) => {
    const { name, messages } = subject;
    for (const { readsAll, read, name: rival } of rivals) mustAgree(subject, read, rival, readsAll);
    const parsed = messages.map(messageIn);
    const works: [string, (index: number) => unknown][] = [
      ['headers only', (index) => splitMessage(messages[index] ?? none)],
      ['full parse', (index) => readAnew(readOurs, messages[index])],
      ['serialise', (index) => serializeMessage(parsed[index] as Message)],
      ...rivals.map(({ name: rival, read }): [string, (index: number) => unknown] => [
        `npm ${rival}`,
        (index) => readAnew(read, messages[index]),
      ]),
    ];
    const figures = microseconds(works.map(([, work]) => work));
    const row = (work: string, value: number, unit: string): BenchRow => ({
      area: 'sip message',
      name: `${name} of ${messages[0]?.length} B, ${work}`,
      value,
      unit,
    });
    const [headersOnly = Number.NaN, fullParse = Number.NaN, , ...theirs] = figures;
    const best = Math.min(...theirs);
    return [
      ...works.map(([work], index) => row(work, figures[index] ?? Number.NaN, 'µs')),
      row('full parse ahead of the best npm parser', best / fullParse, '×'),
      row('headers only ahead of the best npm parser', best / headersOnly, '×'),
    ];
  });
}

const none = new Uint8Array(0);
const scratch = new Values();

function readAnew(read: ReadValues, bytes: Uint8Array = none): Values {
  scratch.count = 0;
  read(bytes, scratch);
  return scratch;
}

/** Throws unless the rival reads out of each message what we do. */
function mustAgree({ messages }: Subject, read: ReadValues, rival: string, readsAll: boolean): void {
  for (const bytes of messages) {
    const ours = readAnew(readOurs, bytes).taken();
    const theirs = readAnew(read, bytes).taken();
    const skipped = readsAll || !messageIn(bytes).headers.has('authorization') ? 0 : credentialNames.length;
    const [wanted, got] = [ours.slice(0, ours.length - skipped).map(plain), theirs.map(plain)];
    const at = wanted.findIndex((value, index) => value !== got[index] && (readsAll || value !== 'true'));
    if (at >= 0 || wanted.length !== got.length) throw new Error(`${rival} reads value ${at} as ${got[at]} instead of ${wanted[at]}`);
  }
}

/** As one would compare values of parsers: without quotes, and nothing is nothing. */
function plain(value: unknown): string {
  if (value === undefined || value === null || Number.isNaN(value)) return '';
  return String(value).replace(/^"(.*)"$/, '$1');
}

function messageIn(bytes: Uint8Array): Message {
  const result = parseMessage(bytes);
  if (!result.ok) throw new Error(result.reason);
  return result.message;
}

/** Every value a user agent or a proxy asks for. */
function readOurs(bytes: Uint8Array, values: Values): void {
  const message = messageIn(bytes);
  if (message.kind === 'request') {
    const { requestUri } = message;
    values.put(message.method);
    values.put(requestUri.kind === 'sip' ? requestUri.user : undefined);
    values.put(requestUri.kind === 'sip' ? requestUri.host : undefined);
  } else values.put(message.statusCode);
  for (const via of message.vias) {
    values.put(via.transport);
    values.put(via.host);
    values.put(via.port);
    values.put(via.branch);
    values.put(via.rport !== undefined);
    values.put(via.received);
  }
  putAddress(message.from, 'party', values);
  putAddress(message.to, 'party', values);
  values.put(message.callId);
  values.put(message.cSeq.number);
  values.put(message.cSeq.method);
  const { contacts } = message;
  if (contacts !== '*') for (const address of contacts) putAddress(address, 'contact', values);
  for (const address of message.recordRoutes) putAddress(address, 'route', values);
  for (const address of message.routes) putAddress(address, 'route', values);
  for (const { params } of message.authorization) for (const name of credentialNames) values.put(params.get(name));
}

function putAddress(address: NameAddr, kind: AddressKind, values: Values): void {
  const { uri } = address;
  if (uri.kind !== 'sip') throw new Error('no SIP URI');
  values.put(uri.user);
  values.put(uri.host);
  values.put(uri.port);
  if (kind === 'party') {
    values.put(address.displayName);
    values.put(address.tag);
  } else if (kind === 'contact') {
    values.put(uri.params.get('transport'));
    values.put(address.params.get('expires'));
  } else values.put(uri.isLooseRouter);
}

/** For each work the median of its rounds, one round of each in turn, after one to warm up. */
function microseconds(works: readonly ((index: number) => unknown)[]): number[] {
  const figures: number[][] = works.map(() => []);
  const times = works.map((work) => timesFor(work));
  for (let round = 0; round <= rounds; round++) {
    for (const [at, work] of works.entries()) {
      const count = times[at] ?? 1;
      const before = process.cpuUsage();
      for (let i = 0; i < count; i++) work(i & 63);
      const { user, system } = process.cpuUsage(before);
      if (round > 0) figures[at]?.push((user + system) / count);
    }
  }
  return figures.map(median);
}

/** How often it runs in the time of a round. */
function timesFor(run: (index: number) => unknown): number {
  let times = 0;
  for (const end = performance.now() + 4 * cpuMsPerRound; performance.now() < end; times++) run(times & 63);
  return Math.max(1, Math.ceil(times / 4));
}
