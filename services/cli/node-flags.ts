/**
 * How Node is started for a daemon, as the units under systemd/ say it too. Those that need not be quick to the millisecond keep their young
 * generation small and compile and collect on their one thread: a third less memory. Media and hal have the threads for themselves.
 */
const thrifty = ['--max-semi-space-size=1', '--single-threaded'];
const flags: Readonly<Record<string, readonly string[]>> = { phone: thrifty, web: thrifty, exchange: thrifty };

export function nodeFlagsOf(daemon: string): readonly string[] {
  return flags[daemon] ?? [];
}
