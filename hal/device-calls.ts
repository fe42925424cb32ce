import { closeSync, constants, openSync, readdirSync, readSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf } from '#firmware/core/errors.ts';
import { openNativeLibrary } from '#firmware/platform/native-library.ts';

/** What a system call of a device said no with: `EBUSY`, `ENODEV` … */
export class DeviceError extends Error {
  readonly code: string;

  constructor(code: string, call: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** The system calls that character devices need. None of them waits. Whatever fails throws DeviceError. */
export interface DeviceCalls {
  /** Device files whose path begins so, in the order of their numbers. */
  list(prefix: string): string[];
  open(path: string, access?: 'read' | 'readWrite'): number;
  close(descriptor: number): void;
  /** ioctl: the kernel reads and writes the octets in place. */
  control(descriptor: number, request: number, argument: Uint8Array | number): void;
  /** Octets read; 0 when none wait. */
  read(descriptor: number, into: Uint8Array): number;
  /** Calls whenever something can be read, until the function it returns is called. */
  watch(descriptor: number, readable: () => void): () => void;
  /** The clock that stamps events of the kernel (CLOCK_MONOTONIC), ms. */
  monotonicNow(): Milliseconds;
}

/** The part of the package that is used. It tells of readable descriptors on the loop that loaded it. */
interface EpollPackage {
  readonly Epoll: {
    new (
      told: (error: Error | null, descriptor: number, events: number) => void,
    ): { add(descriptor: number, events: number): void; remove(descriptor: number): void };
    readonly EPOLLIN: number;
  };
}

/**
 * The machine's own. ioctl is the C library's; readiness comes from the epoll add-on, which must not be loaded in a worker thread: the
 * process would crash when the thread ends.
 */
export async function openDeviceCalls(): Promise<DeviceCalls> {
  const library = await openNativeLibrary(null);
  const withOctets = library.find('int ioctl(int, unsigned long, _Inout_ uint8_t *)');
  const withNumber = library.find('int ioctl(int, unsigned long, long)');
  const { Epoll } = ((await import('epoll')) as { readonly default: EpollPackage }).default;
  const watchers = new Map<number, () => void>();
  // Waits only while something is watched, so it does not keep the process alive by itself.
  const poller = new Epoll((_error, descriptor) => watchers.get(descriptor)?.());
  return {
    list: (prefix) => listDevices(prefix),
    open: (path, access = 'readWrite') => {
      const flags = access === 'read' ? constants.O_RDONLY : constants.O_RDWR;
      return attempt('open', () => openSync(path, flags | constants.O_NONBLOCK));
    },
    close: (descriptor) => attempt('close', () => closeSync(descriptor)),
    control: (descriptor, request, argument) => {
      const call = typeof argument === 'number' ? withNumber : withOctets;
      if (Number(call(descriptor, request, argument)) < 0) throw new DeviceError(library.failure(), 'ioctl');
    },
    read: (descriptor, into) => {
      try {
        return readSync(descriptor, into);
      } catch (thrown) {
        if (codeOf(thrown) === 'EAGAIN') return 0;
        throw new DeviceError(codeOf(thrown), 'read');
      }
    },
    watch: (descriptor, readable) => {
      watchers.set(descriptor, readable);
      poller.add(descriptor, Epoll.EPOLLIN);
      return () => {
        if (watchers.delete(descriptor)) poller.remove(descriptor);
      };
    },
    monotonicNow: () => Number(process.hrtime.bigint()) / 1e6,
  };
}

function listDevices(prefix: string): string[] {
  const folder = dirname(prefix);
  try {
    const names = readdirSync(folder).filter((name) => name.startsWith(basename(prefix)));
    return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(folder, name));
  } catch {
    // No such folder: no such device.
    return [];
  }
}

function attempt<Result>(call: string, act: () => Result): Result {
  try {
    return act();
  } catch (thrown) {
    throw new DeviceError(codeOf(thrown), call);
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : messageOf(thrown);
}
