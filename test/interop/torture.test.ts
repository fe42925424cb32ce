import { join } from 'node:path';
import t, { type Test } from 'tap';
import { corpusText } from '#test/support/corpus.ts';
import { loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { hasStreamLength, type Reaction, Stranger } from '#test/support/stranger.ts';
import { messageVectors, octets } from '#test/vectors/sip-messages.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/**
 * RFC 4475, RFC 5118, one message for each class of known bugs, and the project's own, sent to a whole running phone over UDP and TCP: each
 * gets an answer it may get, and an OPTIONS behind it is answered within 50 ms.
 */

const folder = makeFolder(t);
const settings: Record<string, string> = { ...(await loopbackSettings(folder)), 'sip.acceptDirectCalls': 'true' };
const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false });
t.teardown(() => phone.stop());
const port = Number(settings['sip.port']);
const stranger = new Stranger(port);
/** Makes messages differ from each other: several of the RFCs have the same branch or Call-ID, and would be retransmissions or merged. */
let sent = 0;
/** Bad requests are answered ten times a second at most. */
const pauseMs = 105;

interface Case {
  readonly name: string;
  readonly text: (from: string) => string;
  /** `accept` (any answer but 400), `drop`, `error`, or status codes. */
  readonly verdicts: readonly string[];
  readonly tcpOnly?: boolean;
}

function isAllowed({ statusCode }: Reaction, verdicts: readonly string[]): boolean {
  if (statusCode === 0) return verdicts.includes('drop');
  return verdicts.some((verdict) => {
    if (verdict === 'accept') return statusCode !== 400;
    if (verdict === 'error') return statusCode >= 400 && statusCode < 600;
    // A call takes a person too: that it rings is all that a message can bring about.
    if (verdict === '200') return statusCode === 200 || statusCode === 180;
    if (verdict === '2xx') return statusCode >= 200 && statusCode < 300;
    return verdict === String(statusCode);
  });
}

/** The message with a branch and a Call-ID nobody has used, where it has a branch that is unique by itself. */
function fresh(message: string): Uint8Array {
  const mark = `t${process.pid}x${++sent}x`;
  return octets(message.replace(/(branch\s*=\s*z9hG4bK)(?=[\w-])/gi, `$1${mark}`).replace(/^((?:call-id|i)[ \t]*:\s*)/gim, `$1${mark}`));
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}

async function overUdp(t: Test, { name, text, verdicts }: Case): Promise<void> {
  const from = stranger.nextAddress();
  const onlyDrop = verdicts.every((verdict) => verdict === 'drop');
  const reaction = await stranger.sendDatagram(fresh(text(from)), from, !onlyDrop);
  t.ok(isAllowed(reaction, verdicts), `${name} over UDP: ${reaction.statusCode || 'silence'}, may be ${verdicts.join(', ')}`);
  const took = await stranger.optionsTookMs();
  t.ok(took < 50, `the next OPTIONS is answered in ${took.toFixed(1)} ms`);
}

async function overTcp(t: Test, { name, text, verdicts }: Case): Promise<void> {
  const from = stranger.nextAddress();
  const message = text(from);
  const framed = hasStreamLength(message);
  const onlyDrop = verdicts.every((verdict) => verdict === 'drop');
  const answers = onlyDrop ? 0 : 1;
  if (message.trim() === '') {
    t.notOk((await stranger.sendStream(octets(message), from, 1, 100)).closed, `${name} over TCP leaves the connection open`);
    return;
  }
  const reaction = await stranger.sendStream(fresh(message), from, answers, framed && onlyDrop ? 100 : undefined);
  // What can not be cut from a stream is answered if possible, and ends the connection.
  const allowed = framed ? isAllowed(reaction, verdicts) : reaction.closed || reaction.statusCode >= 400;
  t.ok(allowed, `${name} over TCP: ${reaction.statusCode || 'silence'}${reaction.closed ? ', closed' : ''}, may be ${verdicts.join(', ')}`);
  const took = await stranger.optionsTookMs();
  t.ok(took < 50, `the next OPTIONS is answered in ${took.toFixed(1)} ms`);
}

/** A length that promises more than comes keeps a stream waiting, until the time for a message is over: that has its own test. */
function isShort(message: string): boolean {
  const end = message.indexOf('\r\n\r\n');
  const length = /^(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})\s*$/im.exec(message.slice(0, end))?.[1];
  return end < 0 || Number(length ?? 0) > message.length - end - 4;
}

async function runAll(t: Test, cases: readonly Case[]): Promise<void> {
  for (const one of cases) {
    if (!one.tcpOnly) await overUdp(t, one);
    await pause();
    if (!isShort(one.text('127.0.0.1'))) await overTcp(t, one);
    await pause();
  }
}

interface Torture {
  readonly name: string;
  readonly wire_file: string;
  readonly expect_ua: readonly string[];
}

for (const rfc of ['rfc4475', 'rfc5118']) {
  t.test(`${rfc.toUpperCase().replace('RFC', 'RFC ')}: every message gets an answer it may get, over UDP and TCP`, async (t) => {
    const index = corpusText(t, `${rfc}/index.json`);
    const { messages } = JSON.parse(index ?? '{"messages":[]}') as { messages: readonly Torture[] };
    const cases = messages.map(({ name, wire_file, expect_ua }) => {
      const text = corpusText(t, `${rfc}/${wire_file}`) ?? '';
      return { name, text: () => text, verdicts: expect_ua };
    });
    await runAll(t, cases);
    const double = cases.find(({ name }) => name === 'dblreq');
    if (double) {
      const reaction = await stranger.sendStream(fresh(double.text()), stranger.nextAddress(), 2);
      const told = reaction.responses.map(({ method, statusCode }) => `${method} ${Math.trunc(statusCode / 100)}xx`);
      t.equal(new Set(told).size, 2, `§3.1.1.8 dblreq is two requests over TCP: ${told.join(', ')}`);
    }
    t.pass(`${cases.length} messages`);
  });
}

interface BugCase {
  readonly id: string;
  readonly file: string;
  readonly expect: string;
  readonly transport: string;
}

t.test('one message for each class of known bugs gets an answer it may get, over UDP and TCP', async (t) => {
  const index = corpusText(t, 'bugclass/index.json');
  const { cases } = JSON.parse(index ?? '{"cases":[]}') as { cases: readonly BugCase[] };
  await runAll(
    t,
    cases.map(({ id, file, expect, transport }, index) => {
      const template = corpusText(t, `bugclass/${file}`) ?? '';
      const text = (from: string) => filledIn(template, from, `u${process.pid}x${index}x${from.replaceAll('.', '')}`);
      return { name: id, text, verdicts: verdictsOf(expect), tcpOnly: transport === 'tcp' };
    }),
  );
  t.pass(`${cases.length} messages`);
});

/** The index says in words what may come: its codes, silence where it names it, and any answer where it names neither. */
function verdictsOf(expect: string): string[] {
  const verdicts: string[] = expect.match(/\b[1-6]\d\d\b/g) ?? [];
  if (/drop|no answer|ignored/.test(expect)) verdicts.push('drop');
  if (/treated as absent|answer to source|RINGS/.test(expect)) verdicts.push('accept');
  // What is said of the call log holds for a call that gets there: this one has a malformed URI.
  if (verdicts.length === 0) verdicts.push('accept', '400');
  return verdicts;
}

/** The messages are templates: user, address under test, own address and port, something unique, length of the body. */
function filledIn(template: string, from: string, unique: string): string {
  const values = { USER: 'porter', SUT: `127.0.0.1:${port}`, LP: '5060', L: from, U: unique };
  const text = Object.entries(values).reduce((filled, [name, value]) => filled.replaceAll(`@${name}@`, value), template);
  return text.replaceAll('@CL@', String(text.length - text.indexOf('\r\n\r\n') - 4));
}

t.test('every message of our own gets its verdict, over UDP and TCP', async (t) => {
  await runAll(
    t,
    messageVectors
      // The empty datagram can not be sent on a stream, and what is too large not in a datagram.
      .filter(({ text }) => text.length > 0 && text.length < 65_000)
      .map(({ title, text, verdict }) => ({
        name: title,
        text: () => text,
        verdicts: verdict === 'accept' ? [text.startsWith('SIP/2.0') ? 'drop' : 'accept'] : [String(verdict)],
      })),
  );
});

t.test('RFC 4475 §3.1.2.2 a stream that promises more than it sends is closed after its time', async (t) => {
  const short = messageVectors.find(({ title }) => title.startsWith('§18.3 a body shorter'))?.text ?? '';
  const reaction = await stranger.sendStream(octets(short), stranger.nextAddress(), 1, 15_000);
  t.ok(reaction.closed);
  t.ok((await stranger.optionsTookMs()) < 50);
});

t.test('after all that nothing is left of any call', async (t) => {
  const status = await phone.until('it is idle', ({ calls }) => calls.length === 0);
  t.equal(status.calls.length, 0);
  t.equal(status.counters['core-faults'] ?? 0, 0);
});
