import t from 'tap';
import {
  type EventDigit,
  type EventPacket,
  eventBlockLength,
  TelephoneEventReceiver,
  TelephoneEventSender,
  writeEventBlock,
} from '#firmware/rtp/telephone-event.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { fromHex } from './rtp-fixtures.ts';

const interval = 160;

/** All packets of these presses, one each 20 ms, with the time each goes out; nothing while audio may. */
function send(presses: readonly (readonly [EventDigit, number])[]): { at: number; packet: EventPacket }[] {
  const sender = new TelephoneEventSender(8000);
  for (const [digit, duration] of presses) sender.press(digit, duration);
  const packets: { at: number; packet: EventPacket }[] = [];
  for (let tick = 0; tick < 2000; tick++) {
    const packet = sender.next(tick * interval, interval);
    if (packet) packets.push({ at: tick * 20, packet });
  }
  return packets;
}

function receive(receiver: TelephoneEventReceiver, now: number, packet: EventPacket): boolean {
  const bytes = new Uint8Array(eventBlockLength);
  writeEventBlock(bytes, 0, packet);
  return receiver.receive(now, packet.timestamp, bytes, 0, bytes.length);
}

t.test('RFC 4733 §2.5.1 one digit on the wire: marker once, growing duration, one timestamp, the end three times', async (t) => {
  const packets = send([['5', 90]]).map(({ packet }) => packet);
  t.strictSame(
    packets.map(({ marker, event, end, duration, timestamp }) => [marker, event, end, duration, timestamp]),
    [
      [true, 5, false, 160, 0],
      [false, 5, false, 320, 0],
      [false, 5, false, 480, 0],
      [false, 5, false, 640, 0],
      [false, 5, true, 720, 0],
      [false, 5, true, 720, 0],
      [false, 5, true, 720, 0],
    ],
  );
  const block = new Uint8Array(4);
  writeEventBlock(block, 0, { marker: false, timestamp: 0, event: 11, end: true, duration: 720 });
  t.strictSame(block, fromHex('0b8a02d0'));
});

t.test('digits wait for each other with a pause between, in order; durations are bounded', async (t) => {
  const packets = send([
    ['1', 100],
    ['#', 1],
    ['flash', 60_000],
  ]);
  const starts = packets.filter(({ packet }) => packet.marker);
  t.strictSame(
    starts.map(({ packet }) => packet.event),
    [1, 11, 16],
  );
  const firstEnd = packets.findLast(({ packet }) => packet.event === 1)?.at ?? 0;
  t.ok((starts[1]?.at ?? 0) - firstEnd >= 50, 'at least 50 ms between');
  t.equal(Math.max(...packets.filter(({ packet }) => packet.event === 11).map(({ packet }) => packet.duration)), 320, '40 ms at least');
  t.equal(Math.max(...packets.map(({ packet }) => packet.duration)), 65_535, 'no segment is longer than its field can say');
  t.equal(packets.filter(({ packet }) => packet.duration === 65_535).length, 3, '30 s at most: three full segments and a rest');
  const full = new TelephoneEventSender(8000);
  const taken = Array.from({ length: 100 }, () => full.press('1', 100)).filter(Boolean).length;
  t.equal(taken, 64);
  full.cancel();
  t.equal(full.next(0, interval), undefined);
});

t.test('RFC 4733 §2.5.2 exactly one digit per press, whatever is lost, doubled or out of order', async (t) => {
  const presses = (['1', '1', '2', '*', '#', 'A', '9', '9', '9'] as const).map((digit) => [digit, 100] as const);
  const packets = send(presses);
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const receiver = new TelephoneEventReceiver(8000);
    const heard: EventDigit[] = [];
    // Loss of 30 %, but of each press at least one packet arrives; 20 % double; delays of up to 60 ms reorder.
    const lucky = new Map(packets.map(({ packet }, index) => [packet.timestamp, index]));
    const arrivals = packets.flatMap(({ at, packet }, index) => {
      if (random() < 0.3 && lucky.get(packet.timestamp) !== index) return [];
      const copies = random() < 0.2 ? 2 : 1;
      return Array.from({ length: copies }, () => ({ at: at + random() * 60, packet }));
    });
    let now = 0;
    for (const { at, packet } of arrivals.sort((a, b) => a.at - b.at)) {
      if ((receiver.deadline ?? Number.POSITIVE_INFINITY) <= at) receiver.handleTimeout(at);
      receive(receiver, at, packet);
      heard.push(...receiver.drain().map(({ digit }) => digit));
      now = at;
    }
    receiver.handleTimeout(now + 200);
    heard.push(...receiver.drain().map(({ digit }) => digit));
    t.strictSame(
      heard,
      presses.map(([digit]) => digit),
      `seed ${seed}`,
    );
  }
});

t.test('a press whose ends are all lost is over after a silence, with the duration that was heard', async (t) => {
  const receiver = new TelephoneEventReceiver(8000);
  for (const { at, packet } of send([['7', 200]])) if (!packet.end) receive(receiver, at, packet);
  t.strictSame(receiver.drain(), []);
  const deadline = receiver.deadline ?? 0;
  receiver.handleTimeout(deadline - 1);
  t.strictSame(receiver.drain(), []);
  receiver.handleTimeout(deadline);
  t.strictSame(receiver.drain(), [{ digit: '7', duration: 180 }]);
  t.equal(receiver.deadline, undefined);
});

t.test('RFC 4733 §2.5.1.3 a press of many segments is one digit; a new time line starts anew', async (t) => {
  const receiver = new TelephoneEventReceiver(8000);
  const packet = (timestamp: number, duration: number, end = false) => ({ marker: false, timestamp, event: 1, end, duration });
  receive(receiver, 0, packet(1000, 160));
  receive(receiver, 8000, packet(1000, 0xffff));
  receive(receiver, 8020, packet(1000 + 0xffff, 160));
  receive(receiver, 9000, packet(1000 + 0xffff, 8000, true));
  t.strictSame(receiver.drain(), [{ digit: '1', duration: Math.round((0xffff + 8000) / 8) }]);
  receive(receiver, 9100, packet(1000, 160, true));
  t.strictSame(receiver.drain(), [], 'an echo of the past');
  receiver.restart();
  receive(receiver, 9200, packet(1000, 800, true));
  t.strictSame(receiver.drain(), [{ digit: '1', duration: 100 }]);
});

t.test('blocks that are too short or mean no key are refused, of several blocks the first counts', async (t) => {
  const receiver = new TelephoneEventReceiver(8000);
  for (const hex of ['', '058a', 'ff8a0320', '118a0320']) {
    const bytes = fromHex(hex);
    t.notOk(receiver.receive(0, 1, bytes, 0, bytes.length), hex);
  }
  const long = fromHex('058a0320'.repeat(40));
  t.ok(receiver.receive(0, 2, long, 0, long.length));
  t.strictSame(receiver.drain(), [{ digit: '5', duration: 100 }]);
});

t.test('RFC 4733 §2.5.1.3 at 48 kHz a long press goes on in segments, and is one press at the other end whatever is lost', async (t) => {
  for (const lost of [-1, 68, 69, 70, 150]) {
    const sender = new TelephoneEventSender(48_000);
    const receiver = new TelephoneEventReceiver(48_000);
    sender.press('7', 3000);
    let full = 0;
    for (let packet = 0; packet < 170; packet++) {
      const event = sender.next(packet * 960, 960);
      if (!event) continue;
      t.equal(event.marker, packet === 0);
      if (event.duration === 65_535) {
        full++;
        t.notOk(event.end, 'a full segment is not the end');
      }
      if (packet === lost) continue;
      const block = new Uint8Array(4);
      writeEventBlock(block, 0, event);
      receiver.receive(packet * 20, event.timestamp, block, 0, 4);
    }
    t.equal(full, 2);
    t.strictSame(receiver.drain(), [{ digit: '7', duration: 3000 }], `without packet ${lost}`);
  }
});

t.test('a peer that knows digits at 8000 Hz only gets their durations on that clock, their timestamps on the audio', async (t) => {
  const sender = new TelephoneEventSender(48_000);
  sender.retune(8000, 48_000);
  sender.press('1', 100);
  const packets = Array.from({ length: 5 }, (_, packet) => sender.next(1000 + packet * 960, 960));
  t.strictSame(
    packets.map((packet) => [packet?.timestamp, packet?.duration]),
    [160, 320, 480, 640, 800].map((duration) => [1000, duration]),
  );
});
