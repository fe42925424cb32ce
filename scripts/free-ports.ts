import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

let next = 20_000 + (process.pid % 200) * 100;

/** The first of `count` neighbouring loopback ports that are free for UDP and TCP; never given twice by this process. */
export async function freePorts(count = 1): Promise<number> {
  for (;;) {
    if (next + count > 40_000) next = 20_000;
    const first = next;
    next += count + (count % 2);
    const free = await Promise.all(Array.from({ length: count }, (_, offset) => isFree(first + offset)));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const udp = new Promise<boolean>((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)));
  });
  const tcp = new Promise<boolean>((resolve) => {
    const listener = createServer();
    listener.once('error', () => resolve(false));
    listener.listen(port, '127.0.0.1', () => listener.close(() => resolve(true)));
  });
  return (await udp) && (await tcp);
}
