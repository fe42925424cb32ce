/** A function of a C library, called at once on this thread. */
export type NativeFunction = (...args: readonly unknown[]) => unknown;

/** A C library of the system. */
export interface NativeLibrary {
  /** `prototype` is as in C: `int ioctl(int, unsigned long, long)`; a Buffer or typed array goes where `_Inout_ uint8_t *` stands. */
  find(prototype: string): NativeFunction;
  /** The `errno` of the last call that failed, by its name: `EBUSY`. */
  failure(): string;
}

/**
 * Opens a library by its file name, `null` = the C library that Node itself has. koffi is loaded only now: most processes never need it.
 * Throws what the loader says when there is no such library.
 */
export async function openNativeLibrary(name: string | null): Promise<NativeLibrary> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(name);
  return {
    find: (prototype) => library.func(prototype) as NativeFunction,
    failure: () => {
      const number = koffi.errno();
      return Object.entries(koffi.os.errno).find(([, known]) => known === number)?.[0] ?? `errno ${number}`;
    },
  };
}
