import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import type { IceServers } from '#services/media/ice-component.ts';
import { LegPath } from '#services/media/leg-path.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { freePorts } from '../../scripts/free-ports.ts';

/** The search for a way on real sockets: two legs of ours, and Debian's coturn. */

const address = '127.0.0.1';
const noServers: IceServers = { stunServer: '', turnServer: '', turnUsername: '', turnPassword: '' };

async function leg(servers: IceServers | null) {
  const heard: string[] = [];
  const news: string[] = [];
  const from = await freePorts(40);
  const path = await LegPath.open(address, { from, to: from + 39 }, servers, {
    entropy: seededEntropy(from),
    onDatagram: (_rtcp, bytes, at, port) => heard.push(`${Buffer.from(bytes).toString('latin1')} from ${at}:${port}`),
    onError: (error) => news.push(error.message),
    listener: {
      connected: (local, remote) => news.push(`${local}–${remote}`),
      failed: (reason) => news.push(`failed: ${reason}`),
      problem: (reason) => news.push(reason),
    },
  });
  t.teardown(() => path.close());
  return { path, heard, news };
}

type Leg = Awaited<ReturnType<typeof leg>>;

/** Each is told of the other; `seen` is what becomes of a candidate on its way. */
function introduce(a: Leg, b: Leg, seen: (candidate: string, to: Leg) => readonly string[] = (candidate) => [candidate]): void {
  for (const [one, other, controlling] of [
    [a, b, true],
    [b, a, false],
  ] as const) {
    const { ufrag = '', password = '', candidates = [] } = other.path.ice ?? {};
    const shown = candidates.flatMap((candidate) => seen(candidate, one));
    one.path.follow({ ufrag, password, candidates: shown, lite: false, controlling }, { address, port: other.path.rtpPort });
  }
}

async function until(fits: () => boolean): Promise<void> {
  for (let tries = 0; tries < 150 && !fits(); tries++) await after(100);
}

function say({ path }: Leg, text: string, port = 9): void {
  const bytes = Buffer.from(`\x80${text}`, 'latin1');
  path.send(false, bytes, bytes.length, address, port);
}

/** coturn on a port of its own, for the user `phone` with the password `secret`. */
async function startTurn(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-turn-'));
  const port = await freePorts(1);
  const settings = [
    'lt-cred-mech',
    'user=phone:secret',
    'realm=test.invalid',
    'no-tls',
    'no-dtls',
    'no-cli',
    'allow-loopback-peers',
    'no-stdout-log',
  ];
  const files = [`log-file=${folder}/log`, 'simple-log', `pidfile=${folder}/pid`, `userdb=${folder}/users`];
  const lines = [`listening-ip=${address}`, `relay-ip=${address}`, `listening-port=${port}`, ...settings, ...files];
  writeFileSync(join(folder, 'turn.conf'), `${lines.join('\n')}\n`);
  const program: ChildProcess = spawn('turnserver', ['-c', join(folder, 'turn.conf')], { stdio: 'ignore' });
  t.teardown(async () => {
    program.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await until(() => existsSync(join(folder, 'log')));
  await after(500);
  return `${address}:${port}`;
}

// The library asks a TURN server that does not want us for half a minute more, though nobody waits for the answer.
t.teardown(() => void setTimeout(() => process.exit(), 500).unref());

t.test('RFC 8445 two legs find each other; what comes from elsewhere is not heard', async (t) => {
  const [a, b] = [await leg(noServers), await leg(noServers)];
  t.match(a.path.ice, { address, port: a.path.rtpPort, candidates: [/ 1 udp \d+ 127\.0\.0\.1 \d+ typ host/] });
  introduce(a, b);
  await until(() => a.news.length > 0 && b.news.length > 0);
  t.strictSame([a.news, b.news], [['host–host'], ['host–host']]);
  const stranger = createSocket('udp4');
  t.teardown(() => stranger.close());
  for (let count = 0; count < 20; count++) stranger.send(Buffer.from('\x80noise', 'latin1'), b.path.rtpPort, address);
  for (const noise of [Buffer.from([0, 1]), Buffer.from([1, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42, 0, 0]), Buffer.alloc(24)])
    stranger.send(noise, b.path.rtpPort, address);
  await after(100);
  say(a, 'hello');
  say(b, 'good day');
  await until(() => a.heard.length > 0 && b.heard.length > 0);
  t.strictSame(a.heard, [`\x80good day from ${address}:${b.path.rtpPort}`]);
  t.strictSame(b.heard, [`\x80hello from ${address}:${a.path.rtpPort}`], 'by the name that the session knows');
});

t.test('with a far end that knows no ICE packets go straight, from the port that it was told', async (t) => {
  const [a, b] = [await leg(noServers), await leg(null)];
  t.equal(b.path.ice, null);
  a.path.follow(null, { address, port: b.path.rtpPort });
  for (let tries = 0; tries < 50 && b.heard.length === 0; tries++) {
    say(a, 'hello', b.path.rtpPort);
    await after(50);
  }
  t.equal(b.heard[0], `\x80hello from ${address}:${a.path.rtpPort}`);
  say(b, 'back', a.path.rtpPort);
  await until(() => a.heard.length > 0);
  t.equal(a.heard[0], `\x80back from ${address}:${b.path.rtpPort}`);
});

t.test(
  'RFC 8656 sound goes through a relay where nothing else is left; a server that does not help is named with its reason',
  async (t) => {
    const server = await startTurn();
    const servers = { stunServer: server, turnServer: server, turnUsername: 'phone', turnPassword: 'secret' };
    const [a, b] = [await leg(servers), await leg(noServers)];
    t.match(a.path.ice?.candidates.join(' '), /typ srflx .* typ relay/);
    const dead = await freePorts(1);
    // To the one only the relay is shown, to the other a port where nobody is: no way leads around the relay.
    introduce(a, b, (candidate, to) => {
      if (to === a) return [candidate.replace(String(b.path.rtpPort), String(dead))];
      return candidate.includes('typ relay') ? [candidate] : [];
    });
    await until(() => a.news.length > 0 && b.news.length > 0);
    t.match(b.news, [/^host–relay$/]);
    say(b, 'through the relay');
    await until(() => a.heard.length > 0);
    t.equal(a.heard[0], `\x80through the relay from ${address}:${b.path.rtpPort}`);

    const wrong = await leg({ ...servers, turnPassword: 'guessed' });
    await until(() => wrong.news.length > 0);
    t.match(wrong.news[0], /the TURN server .* user name or password are wrong/);
    t.ok(wrong.path.ice, 'the call is made all the same');
    const nobody = `${address}:${await freePorts(1)}`;
    const lonely = await leg({ ...noServers, stunServer: nobody });
    t.match(lonely.news, [`the STUN server ${nobody} does not answer`]);
  },
);
