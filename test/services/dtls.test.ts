import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadDeviceCertificate, type SelfSignedCertificate } from '#firmware/platform/device-certificate.ts';
import { Srtp, type SrtpParameters } from '#firmware/rtp/srtp.ts';
import { DtlsHandshake } from '#services/media/dtls-handshake.ts';
import { nodeSrtpCiphers } from '#services/media/srtp-ciphers.ts';

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-certificate-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function certificate(): SelfSignedCertificate {
  return loadDeviceCertificate(makeFolder());
}

const [alice, bob, mallory] = [certificate(), certificate(), certificate()];

type Outcome = SrtpParameters | string;
/** What happens to a datagram on its way; nothing = it is lost. */
type Wire = (bytes: Uint8Array, from: 'client' | 'server', count: number) => readonly Uint8Array[];

interface Shown {
  readonly own: { readonly certificate: string; readonly privateKey: string };
  readonly expects: SelfSignedCertificate['fingerprint'];
}

/** Two ends on one wire; what becomes of each, or nothing if it has not come to an end after `ms`. */
async function shakeHands(client: Shown, server: Shown, ms = 8_000, wire: Wire = (bytes) => [bytes]): Promise<(Outcome | undefined)[]> {
  const outcomes: (Outcome | undefined)[] = [undefined, undefined];
  const counts = { client: 0, server: 0 };
  const over = new Promise<void>((resolve) => {
    const settle = (place: number) => (outcome: Outcome) => {
      outcomes[place] = outcome;
      if (outcomes.every((known) => known !== undefined)) resolve();
    };
    const ends: Record<'client' | 'server', DtlsHandshake> = {
      client: end('client', client, settle(0)),
      server: end('server', server, settle(1)),
    };
    function end(role: 'client' | 'server', { own, expects }: Shown, done: (outcome: Outcome) => void): DtlsHandshake {
      const other = role === 'client' ? 'server' : 'client';
      const send = (bytes: Uint8Array) => {
        for (const arriving of wire(bytes, role, counts[role]++)) setImmediate(() => ends[other].receive(arriving));
      };
      return new DtlsHandshake({ send, agreed: done, failed: done }, own, expects, role);
    }
    t.teardown(() => [ends.client.close(), ends.server.close()]);
    setTimeout(resolve, ms).unref();
  });
  await over;
  return outcomes;
}

/** A sound packet protected by the one is understood by the other, both ways. */
function understand(a: Outcome | undefined, b: Outcome | undefined): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a.suite !== b.suite) return false;
  return [
    [a, b],
    [b, a],
  ].every(([from, to]) => {
    const bytes = new Uint8Array(12 + 160 + 24).fill(1);
    bytes.set([0x80, 0, 0, 1]);
    const length = new Srtp(from as SrtpParameters, nodeSrtpCiphers).protectRtp(bytes, 172);
    return new Srtp(to as SrtpParameters, nodeSrtpCiphers).unprotectRtp(bytes.subarray(0, length)) === 172;
  });
}

const honest = (own: SelfSignedCertificate, other: SelfSignedCertificate): Shown => ({ own, expects: other.fingerprint });

t.test('the certificate of the device is made once, kept, and its fingerprint is that of its bytes', async (t) => {
  const directory = makeFolder();
  const first = loadDeviceCertificate(directory);
  t.same(loadDeviceCertificate(directory), first);
  t.equal(statSync(join(directory, 'media.pem')).mode & 0o777, 0o600);
  const der = Buffer.from(first.certificate.replaceAll(/-----[A-Z ]+-----|\n/g, ''), 'base64');
  t.equal(first.fingerprint.value.replaceAll(':', '').toLowerCase(), createHash('sha256').update(der).digest('hex'));
  t.notSame(loadDeviceCertificate(makeFolder()), first, 'another device, another certificate');
  writeFileSync(join(directory, 'media.pem'), readFileSync(join(directory, 'media.pem'), 'utf8').slice(0, 300));
  t.throws(() => loadDeviceCertificate(directory), /media\.pem cannot be used/);
});

t.test('RFC 5764 §4.2 both ends come to the same keys, each for its own direction', async (t) => {
  const [client, server] = await shakeHands(honest(alice, bob), honest(bob, alice));
  t.ok(understand(client, server), JSON.stringify([client, server]));
});

t.test('RFC 5763 §5 a certificate that was not announced: no keys, and the reason', async (t) => {
  const [client] = await shakeHands(honest(alice, bob), honest(mallory, alice), 1_500);
  t.match(client, /not the one that was announced/, 'the server is somebody else');
  const [, server] = await shakeHands(honest(mallory, bob), honest(bob, alice), 1_500);
  t.match(server, /not the one that was announced/, 'the client is somebody else');
});

t.test('RFC 5246 §7.4.3, §7.4.8 who shows the certificate of another without its key is found out', async (t) => {
  const stolen = { certificate: bob.certificate, privateKey: mallory.privateKey };
  const [client] = await shakeHands(honest(alice, bob), { own: stolen, expects: alice.fingerprint }, 1_500);
  t.match(client, /does not have the key/, 'as server');
  const [, server] = await shakeHands({ own: stolen, expects: alice.fingerprint }, honest(alice, bob), 1_500);
  t.match(server, /does not have the key/, 'as client');
});

t.test('datagrams that are lost, come twice, are cut short or are noise do not matter', async (t) => {
  const [client, server] = await shakeHands(honest(alice, bob), honest(bob, alice), 15_000, (bytes, _from, count) => {
    const noise = [
      Uint8Array.of(22),
      Uint8Array.of(22, 254, 253, 0, 0),
      bytes.slice(0, 20),
      Uint8Array.from(bytes, (byte, at) => (at > 12 ? byte ^ 0x55 : byte)),
    ];
    return count === 1 ? noise : [...noise.slice(0, 3), bytes, bytes];
  });
  t.ok(understand(client, server), JSON.stringify([client, server]));
});
