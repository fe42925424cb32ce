/** A duration or an instant of the monotonic clock, in milliseconds. Never compared with wall-clock time. */
export type Milliseconds = number;

/** Time as the cores may see it. Timers use `now`; only logs and records that people read use `wallTime`. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin; fractions allowed, never goes back. */
  now(): Milliseconds;
  /** Milliseconds since the Unix epoch as the machine believes it; may jump by years (no clock at boot). */
  wallTime(): number;
}
