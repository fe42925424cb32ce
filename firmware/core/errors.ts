/**
 * Errors say whose fault it is. Expected outcomes (busy, timeout, 4xx) are outputs, not errors; a malformed datagram never throws past
 * the parser.
 */

/** The peer or the network did what it must not; becomes a SIP status or a dropped packet. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
}

/** Our caller asked for what cannot be; becomes an HTTP 4xx or a CLI message. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** A short stable word for programs, such as `unknown-setting`. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A state that cannot be reached was reached: our bug. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** A device, a disk or a port failed or is not there. */
export class ResourceError extends Error {
  override readonly name = 'ResourceError';
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
