import { getPriority, setPriority } from 'node:os';

/** How urgent this process is: niceness (−20 first, 19 last), and whether it is as urgent as was wished. */
export interface Priority {
  readonly niceness: number;
  readonly granted: boolean;
}

/**
 * Makes this process, and those it starts from now on, at least as urgent as `niceness`. Whoever may not goes on as it is: on the device the
 * service manager has given it its priority already.
 */
export function hurry(niceness: number): Priority {
  if (getPriority() > niceness) {
    try {
      setPriority(niceness);
    } catch {
      return { niceness: getPriority(), granted: false };
    }
  }
  return { niceness: getPriority(), granted: true };
}
