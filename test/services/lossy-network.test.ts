import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import type { MediaSession } from '#firmware/media/media-session.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { PacedLoop } from '#hal/audio/frame-pacer.ts';
import { EngineDriver } from '#services/media/engine-driver.ts';
import { ImpairedWay, type Impairment } from '#test/support/impaired-way.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards } from '#test/support/simulated-rtp.ts';
import { freePorts } from '../../scripts/free-ports.ts';

/** Bad networks between real sockets: what the engine says of them is what the relay in between did. How it sounds is told in virtual time. */

const address = '127.0.0.1';
const frameMs = 20;
const calm: Impairment = { delayMs: 5, jitterMs: 0, loss: 0, duplication: 0 };
const networks: readonly Impairment[] = [
  calm,
  ...[0.01, 0.03, 0.05, 0.1].map((loss) => ({ ...calm, loss })),
  ...[0.01, 0.03, 0.05, 0.1].map((loss) => ({ ...calm, loss, burst: 3 })),
  ...[20, 50, 100].map((jitterMs) => ({ ...calm, jitterMs, queued: true })),
  { ...calm, jitterMs: 50 },
  { ...calm, reordering: 0.1 },
  { ...calm, duplication: 0.1 },
  { ...calm, jitterMs: 60, loss: 0.05, duplication: 0.05, reordering: 0.02 },
];
/** A call begins with 10 ms, as the settings have it. */
const jitterBuffer = { minimum: 10, start: 10, maximum: 200 };

/** Hands packets of one port on to another, with all that a bad network does to them. */
class Relay {
  readonly way: ImpairedWay;
  readonly socket = createSocket('udp4');
  network = calm;
  /** Where packets come from and go to. */
  source = 0;
  target = 0;
  passed = 0;
  flying = 0;

  constructor(seed: number) {
    this.way = new ImpairedWay(seededRandom(seed));
    this.socket.on('message', (bytes, { port }) => {
      if (port === this.source) this.#take(bytes);
    });
  }

  #take(bytes: Uint8Array): void {
    const now = nodeClock.now();
    for (const at of this.way.carry(now, this.network)) {
      this.flying++;
      setTimeout(() => this.#forward(bytes), at - now);
    }
  }

  #forward(bytes: Uint8Array): void {
    this.flying--;
    this.passed++;
    this.socket.send(bytes, this.target, address);
  }
}

/** Resolves once it is true; time is left to sockets in between. */
async function until(what: string, isTrue: () => boolean): Promise<void> {
  const patience = nodeClock.now() + 60_000;
  while (!isTrue()) {
    if (nodeClock.now() > patience) throw new Error(`no ${what}`);
    await new Promise((resolve) => setTimeout(resolve, frameMs));
  }
}

t.test('loss, bursts, jitter, reordering and duplication, all at once: counted to the packet, the delay within its bounds', async (t) => {
  const engine = new MediaEngine(nodeEntropy, 'cname', { country: '', jitterBuffer, silenceSeconds: 0 });
  const driver = new EngineDriver(engine, {
    clock: nodeClock,
    entropy: nodeEntropy,
    logger: silentLogger,
    onEvent: () => undefined,
    onHandshake: () => undefined,
    onWay: () => undefined,
    onIdle: () => undefined,
    onStatistics: () => undefined,
  });
  const ports = await freePorts(4 * networks.length);
  const range = { from: ports, to: ports + 4 * networks.length - 1 };
  const loop = new PacedLoop(nodeClock, 'roughly', () => driver.frame(frameMs));
  t.teardown(async () => {
    loop.stop();
    await driver.closeAllSessions();
  });
  const calls: { network: Impairment; relay: Relay; near: string; far: MediaSession }[] = [];
  for (const [index, network] of networks.entries()) {
    const relay = new Relay(index);
    relay.socket.bind(0, address);
    await once(relay.socket, 'listening');
    t.teardown(() => relay.socket.close());
    const { port } = relay.socket.address();
    for (const [session, side] of [
      [`near ${index}`, 'source'],
      [`far ${index}`, 'target'],
    ] as const) {
      relay[side] = (await driver.openSession(session, address, range, null)).rtpPort;
      const remote = { remote: { address, port }, remoteRtcp: { address, port: port + 1 } };
      engine.updateSession(nodeClock.now(), session, legTowards(address, remote));
    }
    calls.push({ network, relay, near: `near ${index}`, far: engine.session(`far ${index}`) });
  }
  /** So many more packets pass each of the relays. */
  const pass = async (network: 'calm' | 'bad', packets: number) => {
    const wanted = calls.map(({ relay }) => relay.passed + packets);
    for (const { relay, network: bad } of calls) relay.network = network === 'bad' ? bad : calm;
    await until(`${packets} packets`, () => calls.every(({ relay }, index) => relay.passed >= (wanted[index] ?? 0)));
  };
  loop.start();
  await pass('calm', 25);
  await pass('bad', 300);
  await pass('calm', 15);
  for (const { near } of calls) await driver.closeSession(near);
  await until('end', () => calls.every(({ relay, far }) => relay.flying === 0 && far.statistics().packetsReceived >= relay.passed));
  loop.stop();
  for (const { network, relay, far } of calls) {
    const { packetsLost, packetsDuplicate, packetsReceived, packetsRefused, packetsLate, jitterBufferMs, concealedMs } = far.statistics();
    const name = JSON.stringify(network);
    const { lost, copied } = relay.way;
    t.strictSame(
      { packetsLost, packetsDuplicate, packetsReceived, packetsRefused },
      { packetsLost: lost, packetsDuplicate: copied, packetsReceived: relay.passed, packetsRefused: 0 },
      name,
    );
    t.ok(jitterBufferMs <= jitterBuffer.maximum + 60, `${jitterBufferMs} ms held back`);
    // The test, its relay and the engine share one thread of a machine that others use.
    t.ok(packetsLate < relay.passed / 4, `${packetsLate} of ${relay.passed} late`);
    t.comment(`${name}: ${lost} lost, ${copied} twice, ${packetsLate} late, ${concealedMs} ms made up, ${jitterBufferMs} ms held back`);
  }
});
