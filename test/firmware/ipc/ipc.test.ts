import fc from 'fast-check';
import t from 'tap';
import * as v from 'valibot';
import { defineContract } from '#firmware/contract/contract.ts';
import { RemoteError, ResourceError, UsageError } from '#firmware/core/errors.ts';
import { complaintOf, errorOf } from '#firmware/ipc/complaint.ts';
import { type Frame, LineFramer, maximumLineBytes } from '#firmware/ipc/framing.ts';
import { parseMessage } from '#firmware/ipc/message.ts';
import { Peer, type PeerLimits, type PeerOutput } from '#firmware/ipc/peer.ts';

const encoder = new TextEncoder();
// A byte order mark is text like any other here.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

const lampContract = defineContract({
  name: 'lamp',
  version: 3,
  commands: {
    light: { args: v.object({ level: v.pipe(v.number(), v.maxValue(10)) }), result: v.object({ was: v.number() }) },
    describe: { args: v.object({}), result: v.looseObject({}) },
  },
  events: { dimmed: v.object({ level: v.number() }) },
});

t.test('lines', async (t) => {
  t.test('any text cut anywhere comes out whole', async (t) => {
    const line = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((text) => !text.includes('\n'));
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), cuts, (lines, positions) => {
        const sent = lines.map((text) => decoder.decode(encoder.encode(text)));
        const frames = feed(new LineFramer(), pieces(encoder.encode(sent.map((text) => `${text}\n`).join('')), positions));
        t.same(
          frames,
          sent.map((text) => ({ kind: 'line', text })),
        );
      }),
      { numRuns: 300 },
    );
  });

  t.test('any bytes cut anywhere give what they give in one piece', async (t) => {
    const bytes = fc.array(fc.oneof(fc.constant(10), fc.nat(255)), { maxLength: 200 }).map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 20 }), (stream, positions) => {
        t.same(feed(new LineFramer(32), pieces(stream, positions)), feed(new LineFramer(32), [stream]));
      }),
      { numRuns: 300 },
    );
  });

  t.test('a line over the limit is one bad frame and the next line is whole', async (t) => {
    const framer = new LineFramer();
    const piece = encoder.encode('x'.repeat(1000));
    for (let i = 0; i < 1000; i++) t.same(framer.receive(piece), []);
    t.match(framer.receive(encoder.encode('x\n{}\n')), [
      { kind: 'bad', code: 'line-too-long' },
      { kind: 'line', text: '{}' },
    ]);
  });

  t.test('the longest line passes, one byte more does not', async (t) => {
    const longest = new LineFramer().receive(encoder.encode(`${'y'.repeat(maximumLineBytes)}\n`));
    t.equal(longest.length, 1);
    t.equal(longest[0]?.kind, 'line');
    t.match(new LineFramer().receive(encoder.encode(`${'y'.repeat(maximumLineBytes + 1)}\n`)), [{ kind: 'bad' }]);
  });

  t.test('invalid UTF-8 is a bad frame, empty lines are none', async (t) => {
    const framer = new LineFramer();
    t.match(framer.receive(Uint8Array.of(0xc3, 0x28, 10, 10, 10, 0x7b, 10)), [
      { kind: 'bad', code: 'not-utf8' },
      { kind: 'line', text: '{' },
    ]);
  });
});

t.test('messages', async (t) => {
  t.test('every kind of message is what JSON.parse makes of it', async (t) => {
    const messages = [
      { type: 'hello', contract: 'lamp', version: 3, role: 'phone' },
      { type: 'command', id: 7, name: 'light', args: { level: 1 } },
      { type: 'reply', id: 7, result: { was: 0 } },
      { type: 'reply', id: 7, error: { code: 'busy', message: 'not now' } },
      { type: 'event', name: 'dimmed', data: { level: 2 } },
      { type: 'fault', code: 'not-json', message: 'a line is not valid JSON' },
    ];
    for (const message of messages) t.same(parseMessage(JSON.stringify(message)), message);
  });

  t.test('anything else is a complaint and never throws', async (t) => {
    const wrong = [
      'null',
      '[]',
      '3',
      '"hello"',
      '{}',
      '{"type":"hello","contract":"lamp","version":"3","role":"x"}',
      '{"type":"command","id":-1,"name":"light"}',
      '{"type":"command","id":1.5,"name":"light"}',
      '{"type":"command","id":1,"name":""}',
      `{"type":"command","id":1,"name":"${'n'.repeat(65)}"}`,
      '{"type":"reply","id":1,"error":"no"}',
      '{"type":"__proto__"}',
    ];
    for (const text of wrong) t.match(parseMessage(text), { code: 'not-a-message' }, text);
    for (const text of ['', '{', '{"type":}', 'NaN', "{'a':1}"]) t.match(parseMessage(text), { code: 'not-json' }, text);
    fc.assert(fc.property(fc.string(), (text) => typeof parseMessage(text) === 'object'));
    fc.assert(fc.property(fc.json(), (text) => typeof parseMessage(text) === 'object'));
  });

  t.test('errors keep their class across the wire', async (t) => {
    const thrown = [new UsageError('no-such-call', 'there is no call 3'), new ResourceError('disk full'), new RemoteError('garbage')];
    for (const error of thrown) {
      const there = errorOf(complaintOf(error));
      t.equal(there.constructor, error.constructor);
      t.equal(there.message, error.message);
    }
    t.match(errorOf(complaintOf(thrown[0])), { code: 'no-such-call' });
    t.match(complaintOf(new TypeError('x is undefined')), { code: 'internal' });
    t.match(complaintOf('a string'), { code: 'internal', message: 'a string' });
  });
});

t.test('two peers', async (t) => {
  t.test('say hello, then a command is answered and an event arrives', async (t) => {
    const link = new Link();
    t.match(link.greet(), { serving: [{ kind: 'up', role: 'phone' }], commanding: [{ kind: 'up', role: 'hal' }] });
    const id = link.commanding.command(0, 'light', { level: 4, extra: true });
    const [command] = link.deliver().serving;
    t.same(command, { kind: 'command', id, name: 'light', args: { level: 4 } }, 'unknown fields are left out');
    link.serving.reply(id, { was: 1 });
    t.same(link.deliver().commanding, [{ kind: 'settled', id, result: { was: 1 } }]);
    link.serving.emit('dimmed', { level: 3 });
    t.same(link.deliver().commanding, [{ kind: 'event', name: 'dimmed', data: { level: 3 } }]);
    t.equal(link.commanding.deadline, undefined, 'no timer is left');
  });

  t.test('of different versions part with a message that says what to do', async (t) => {
    const link = new Link({ ...lampContract, version: 4 });
    const { serving, commanding } = link.greet();
    t.match(serving.at(-1), { kind: 'close', complaint: { code: 'wrong-version', message: /version 3 of lamp.*speaks 4.*update/ } });
    t.match(commanding.at(-1), { kind: 'close', complaint: { code: 'wrong-version' } });
  });

  t.test('of different contracts part', async (t) => {
    t.match(new Link({ ...lampContract, name: 'horn' }).greet().serving.at(-1), { kind: 'close', complaint: { code: 'wrong-contract' } });
  });

  t.test('part when no hello comes in time', async (t) => {
    const peer = new Peer(lampContract, 'serving', 'hal');
    peer.start(100);
    t.equal(peer.deadline, 5100);
    peer.drain();
    peer.handleTimeout(5100);
    t.match(peer.drain().at(-1), { kind: 'close', complaint: { code: 'no-hello' } });
    t.equal(peer.describe().state, 'closed');
  });

  t.test('nothing passes before the hellos', async (t) => {
    for (const line of [
      '{"type":"command","id":1,"name":"light","args":{"level":1}}',
      'garbage',
      '{"type":"event","name":"dimmed","data":{}}',
    ]) {
      const peer = new Peer(lampContract, 'serving', 'hal');
      peer.start(0);
      peer.receive(encoder.encode(`${line}\n${hello()}\n`));
      const outputs = peer.drain();
      t.equal(outputs.at(-1)?.kind, 'close', line);
      t.notOk(
        outputs.some(({ kind }) => kind === 'up' || kind === 'command'),
        'what follows is not looked at',
      );
    }
    const silent = new Peer(lampContract, 'serving', 'hal');
    silent.emit('dimmed', { level: 1 });
    t.same(silent.drain(), []);
  });
});

t.test('commands', async (t) => {
  t.test('unknown, ill-typed and repeated ones are refused and counted, the link lives', async (t) => {
    const link = new Link();
    link.greet();
    const refused = link.raw('serving', [
      { type: 'command', id: 1, name: 'explode', args: {} },
      { type: 'command', id: 2, name: 'constructor', args: {} },
      { type: 'command', id: 3, name: 'light', args: { level: 11 } },
      { type: 'command', id: 4, name: 'light' },
      { type: 'event', name: 'dimmed', data: { level: 1 } },
      { type: 'command', id: 5, name: 'light', args: { level: 1 } },
      { type: 'command', id: 5, name: 'light', args: { level: 1 } },
    ]);
    t.same(
      refused.map((output) => (output.kind === 'fault' ? output.complaint.code : output.kind)),
      ['unknown-command', 'unknown-command', 'invalid-arguments', 'invalid-arguments', 'wrong-direction', 'command', 'repeated-id'],
    );
    t.match(link.serving.describe(), {
      state: 'up',
      counters: { 'unknown-command': 2, 'invalid-arguments': 2, 'wrong-direction': 1, 'repeated-id': 1 },
    });
  });

  t.test('a bad argument is named without its value', async (t) => {
    const link = new Link();
    link.greet();
    const [fault] = link.raw('serving', [{ type: 'command', id: 1, name: 'light', args: { level: 'hunter2' } }]);
    t.match(fault, { complaint: { message: /light: level: expected number/ } });
    t.notMatch(JSON.stringify(fault), 'hunter2');
    const [tooMuch] = link.raw('serving', [{ type: 'command', id: 2, name: 'light', args: { level: 4711 } }]);
    t.match(tooMuch, { complaint: { message: 'light: level: Invalid value: Expected <=10' } });
  });

  t.test('broken lines in a running link are answered by faults, and a fault by nothing', async (t) => {
    const link = new Link();
    link.greet();
    link.serving.receive(encoder.encode(`{"broken\n${'z'.repeat(maximumLineBytes + 5)}\n`));
    link.serving.receive(Uint8Array.of(0xff, 0xfe, 10));
    t.match(link.serving.describe().counters, { 'not-json': 1, 'line-too-long': 1, 'not-utf8': 1 });
    const { commanding, serving } = link.deliver();
    t.same(
      commanding.map((output) => output.kind === 'fault' && output.by),
      ['us', 'us', 'us'],
    );
    t.same(serving.filter(({ kind }) => kind === 'fault').length, 3, 'each was told once');
    t.same(link.deliver(), { serving: [], commanding: [] }, 'no echo');
  });

  t.test('time out, and the late reply is dropped', async (t) => {
    const link = new Link();
    link.greet();
    const slow = link.commanding.command(0, 'describe', {});
    const quick = link.commanding.command(0, 'light', { level: 1 }, 200);
    link.deliver();
    t.equal(link.commanding.deadline, 200);
    link.commanding.handleTimeout(200);
    t.match(link.commanding.drain(), [{ kind: 'failed', id: quick, complaint: { code: 'timeout', message: /light/ } }]);
    link.serving.reply(quick, { was: 0 });
    t.same(link.deliver().commanding, []);
    t.match(link.commanding.describe(), { pending: 1, counters: { 'late-reply': 1 } });
    link.commanding.handleTimeout(10_000);
    t.match(link.commanding.drain(), [{ kind: 'failed', id: slow, complaint: { code: 'timeout' } }]);
  });

  t.test('fail when the peer is lost, and after that at once', async (t) => {
    const link = new Link();
    link.greet();
    const id = link.commanding.command(0, 'describe', {});
    link.deliver();
    link.commanding.lost();
    t.match(link.commanding.drain(), [{ kind: 'failed', id, complaint: { code: 'peer-lost' } }]);
    link.commanding.command(0, 'describe', {});
    t.match(link.commanding.drain(), [{ kind: 'failed', complaint: { code: 'not-connected' } }]);
    t.equal(link.commanding.deadline, undefined);
  });

  t.test('under way are bounded at both ends', async (t) => {
    const limits: PeerLimits = { helloMs: 5000, commandMs: 10_000, pendingCommands: 2 };
    const link = new Link(lampContract, limits);
    link.greet();
    for (let i = 0; i < 3; i++) link.commanding.command(0, 'describe', {});
    t.match(link.commanding.drain().at(-1), { kind: 'failed', complaint: { code: 'too-many-commands' } });
    const flood = link.raw(
      'serving',
      [11, 12, 13].map((id) => ({ type: 'command', id, name: 'describe', args: {} })),
    );
    t.same(
      flood.map(({ kind }) => kind),
      ['command', 'command', 'fault'],
    );
  });

  t.test('a result that breaks the contract fails the command and blames the other side', async (t) => {
    const link = new Link();
    link.greet();
    const id = link.commanding.command(0, 'light', { level: 1 });
    link.deliver();
    link.serving.reply(id, { was: 'bright' });
    t.match(link.deliver().commanding, [
      { kind: 'failed', id, complaint: { code: 'invalid-result' } },
      { kind: 'fault', by: 'them' },
    ]);
  });

  t.test('what is too long to send or no JSON fails where it is sent', async (t) => {
    const link = new Link();
    link.greet();
    link.commanding.command(0, 'light', { level: 'x'.repeat(maximumLineBytes) });
    t.match(link.commanding.drain(), [{ kind: 'failed', complaint: { code: 'too-long' } }]);
    const id = link.commanding.command(0, 'describe', {});
    link.deliver();
    link.serving.reply(id, { text: 'x'.repeat(maximumLineBytes) });
    t.match(link.deliver().commanding, [{ kind: 'failed', id, complaint: { code: 'internal' } }]);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    t.type(link.serving.emit('dimmed', circular), 'string');
    t.equal(link.serving.describe().counters['event-not-sent'], 1);
  });

  t.test('events that are unknown or ill-typed are dropped with a fault', async (t) => {
    const link = new Link();
    link.greet();
    const dropped = link.raw('commanding', [
      { type: 'event', name: 'toString', data: {} },
      { type: 'event', name: 'dimmed', data: { level: 'low' } },
    ]);
    t.same(
      dropped.map((output) => output.kind === 'fault' && output.complaint.code),
      ['unknown-event', 'invalid-event'],
    );
  });
});

t.test('whatever a stranger writes, a peer neither throws nor grows', async (t) => {
  const line = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record({ type: fc.constantFrom('hello', 'command', 'reply', 'event', 'fault'), id: fc.nat(5), name: fc.string() })
      .map((m) => JSON.stringify(m)),
    fc.constant(hello()),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), fc.boolean(), (lines, serving) => {
      const peer = new Peer(lampContract, serving ? 'serving' : 'commanding', 'hal');
      peer.start(0);
      for (const text of lines) peer.receive(encoder.encode(`${text}\n`));
      const { pending } = peer.describe();
      return peer.drain().length <= 3 * lines.length + 3 && pending <= lines.length;
    }),
    { numRuns: 300 },
  );
  t.pass('300 conversations');
});

/** Two peers and what they have written to each other and not yet read. */
class Link {
  readonly serving: Peer;
  readonly commanding: Peer;

  constructor(contract = lampContract as Parameters<typeof defineContract>[0], limits?: PeerLimits) {
    this.serving = new Peer(lampContract, 'serving', 'hal', limits);
    this.commanding = new Peer(contract, 'commanding', 'phone', limits);
  }

  greet(): { serving: PeerOutput[]; commanding: PeerOutput[] } {
    this.serving.start(0);
    this.commanding.start(0);
    return this.deliver();
  }

  /** Carries bytes both ways until none are left; gives the outputs that are not bytes. */
  deliver(): { serving: PeerOutput[]; commanding: PeerOutput[] } {
    const seen = { serving: [] as PeerOutput[], commanding: [] as PeerOutput[] };
    for (let moved = true; moved; ) {
      moved = carry(this.serving, this.commanding, seen.serving);
      moved = carry(this.commanding, this.serving, seen.commanding) || moved;
    }
    return seen;
  }

  /** Writes messages to one end as the other side never would. */
  raw(to: 'serving' | 'commanding', messages: readonly object[]): PeerOutput[] {
    for (const message of messages) this[to].receive(encoder.encode(`${JSON.stringify(message)}\n`));
    return this[to].drain().filter(({ kind }) => kind !== 'send');
  }
}

function carry(from: Peer, to: Peer, seen: PeerOutput[]): boolean {
  let moved = false;
  for (const output of from.drain()) {
    if (output.kind !== 'send') seen.push(output);
    else {
      to.receive(output.bytes);
      moved = true;
    }
  }
  return moved;
}

function hello(): string {
  return JSON.stringify({ type: 'hello', contract: 'lamp', version: 3, role: 'phone' });
}

function feed(framer: LineFramer, parts: readonly Uint8Array[]): Frame[] {
  // Each piece is overwritten once it was taken, as a socket's buffer may be.
  return parts.flatMap((part) => {
    const reused = part.slice();
    const frames = framer.receive(reused);
    reused.fill(0x21);
    return frames;
  });
}

/** `bytes` cut at positions taken modulo its length. */
function pieces(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const cuts = [0, ...positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((cut, i) => bytes.subarray(cuts[i], cut));
}
