import { srtpSuiteNames, srtpSuites } from '#firmware/core/srtp-suites.ts';
import { Srtp } from '#firmware/rtp/srtp.ts';
import { nodeSrtpCiphers } from '#services/media/srtp-ciphers.ts';
import { type BenchRow, median } from './row.ts';

const packets = 4000;
const rounds = 5;

/** Microseconds to protect a packet of 20 ms of G.711, and to open it again, by suite. */
export function srtpRows(): readonly BenchRow[] {
  return srtpSuiteNames.flatMap((suite) => {
    const { keyLength, saltLength } = srtpSuites[suite];
    const master = { key: new Uint8Array(keyLength).fill(1), salt: new Uint8Array(saltLength).fill(2) };
    const parameters = { suite, sendKey: master, receiveKey: master, mkiLength: 0 };
    const [sending, opening]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      const [sender, receiver] = [new Srtp(parameters, nodeSrtpCiphers), new Srtp(parameters, nodeSrtpCiphers)];
      const wire = Array.from({ length: packets }, (_, sequence) => packetOf(sequence));
      const start = performance.now();
      const lengths = wire.map((bytes) => sender.protectRtp(bytes, 172));
      const sent = performance.now();
      for (const [at, bytes] of wire.entries()) receiver.unprotectRtp(bytes.subarray(0, lengths[at]));
      sending.push(((sent - start) * 1000) / packets);
      opening.push(((performance.now() - sent) * 1000) / packets);
    }
    return [
      { area: 'srtp', name: `${suite}, protect`, value: median(sending), unit: 'µs a packet' },
      { area: 'srtp', name: `${suite}, open`, value: median(opening), unit: 'µs a packet' },
    ];
  });
}

function packetOf(sequence: number): Uint8Array {
  const bytes = new Uint8Array(172 + 24);
  bytes[0] = 0x80;
  bytes[2] = sequence >> 8;
  bytes[3] = sequence & 0xff;
  return bytes;
}
