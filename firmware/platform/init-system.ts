import type { Milliseconds } from '../core/clock.ts';
import { ResourceError } from '../core/errors.ts';
import { openNativeLibrary } from './native-library.ts';

/** The service manager that started this process and hears how it is: systemd, by the protocol of sd_notify(3). */
export interface InitSystem {
  /** It kills a process of which it has not heard for this long; `undefined` = it has no watchdog for us. */
  readonly watchdogMs: Milliseconds | undefined;
  /** One assignment a line, such as `READY=1`. Never waits; false when it did not get through. */
  notify(...assignments: readonly string[]): boolean;
}

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** Neither waits for a manager that does not read nor dies of one that is gone. */
const MSG_DONTWAIT_NOSIGNAL = 0x4040;
const pathAtMost = 107;

/**
 * Finds the service manager in the environment and takes its variables out of there, so that no child speaks for this process. `undefined`
 * when nobody listens. Node has no Unix datagram sockets: the C library is called.
 */
export async function findInitSystem(environment: NodeJS.ProcessEnv): Promise<InitSystem | undefined> {
  const { NOTIFY_SOCKET: socketName, WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (!socketName) return undefined;
  const address = socketAddressOf(socketName);
  const library = await openNativeLibrary(null);
  const openSocket = library.find('int socket(int, int, int)');
  const sendTo = library.find('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)');
  const descriptor = Number(openSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
  if (descriptor < 0) throw new ResourceError('no socket for the service manager is to be had');
  const isOurs = watched === undefined || watched === String(process.pid);
  return {
    watchdogMs: isOurs && Number(microseconds) > 0 ? Number(microseconds) / 1000 : undefined,
    notify: (...assignments) => {
      const text = Buffer.from(assignments.map((line) => `${line.replaceAll('\n', ' ')}\n`).join(''));
      return sendTo(descriptor, text, text.length, MSG_DONTWAIT_NOSIGNAL, address, address.length) === text.length;
    },
  };
}

/** A `sockaddr_un`: the family, then a path, or a name of the abstract namespace with a NUL in place of its `@`. */
function socketAddressOf(name: string): Buffer {
  const path = Buffer.from(name);
  if (!/^[/@]/.test(name) || path.length > pathAtMost) throw new ResourceError(`NOTIFY_SOCKET is no socket: ${name}`);
  if (path[0] === 0x40) path[0] = 0;
  const family = Buffer.from(new Uint16Array([AF_UNIX]).buffer);
  return Buffer.concat([family, path, ...(path[0] === 0 ? [] : [Buffer.alloc(1)])]);
}
