import { readdirSync, readlinkSync } from 'node:fs';
import { openNativeLibrary } from '#firmware/platform/native-library.ts';

/** Sockets of this process, as the kernel has them, and the class (RFC 2474) of what each sends over IPv4 and IPv6. */
export interface SocketClasses {
  open(): number[];
  ipv4(descriptor: number): number;
  ipv6(descriptor: number): number;
}

export async function socketClasses(): Promise<SocketClasses> {
  const library = await openNativeLibrary(null);
  const option = library.find('int getsockopt(int, int, int, _Out_ int32_t *, _Inout_ uint32_t *)');
  const read = (descriptor: number, level: number, name: number): number => {
    const value = new Int32Array(1);
    return option(descriptor, level, name, value, Uint32Array.of(4)) === 0 ? (value[0] ?? 0) >> 2 : -1;
  };
  return {
    open: () => readdirSync('/proc/self/fd').map(Number).filter(isSocket),
    ipv4: (descriptor) => read(descriptor, 0, 1),
    ipv6: (descriptor) => read(descriptor, 41, 67),
  };
}

function isSocket(descriptor: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:');
  } catch {
    // It was the one that read the folder.
    return false;
  }
}
