/** Where packets come from and go to: an IP address as the socket prints it, and a port. */
export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * Whom a stream listens to and where it sends: back to where packets come from (RFC 4961). Until a source has proved itself anybody at the
 * signalled address may try, from whichever port (anybody at all when `symmetric` says that the peer is behind a NAT); the first that proves
 * itself is locked. Only the address that was signalled, port
 * included, takes over from a locked one: a third party that was quicker than the peer loses its place.
 */
export class RemoteAddress {
  #signalled: TransportAddress | undefined;
  #locked: TransportAddress | undefined;
  #symmetric = false;

  /** Where packets go; `undefined` before anything was signalled. */
  get target(): TransportAddress | undefined {
    return this.#locked ?? this.#signalled;
  }

  /** The source that proved itself. */
  get locked(): TransportAddress | undefined {
    return this.#locked;
  }

  /** What the peer's description says; another address or port than before starts anew. */
  update(signalled: TransportAddress, symmetric: boolean): void {
    const known = this.#signalled;
    if (known?.address !== signalled.address || known.port !== signalled.port || symmetric !== this.#symmetric) this.#locked = undefined;
    this.#signalled = signalled;
    this.#symmetric = symmetric;
  }

  permits(address: string, port: number): boolean {
    if (!this.#signalled) return false;
    const atSignalled = address === this.#signalled.address;
    if (!this.#locked) return atSignalled || this.#symmetric;
    if (address === this.#locked.address && port === this.#locked.port) return true;
    return atSignalled && port === this.#signalled.port;
  }

  /** A permitted source proved itself by a run of packets. */
  confirm(address: string, port: number): void {
    if (this.#locked?.address === address && this.#locked.port === port) return;
    this.#locked = { address, port };
  }
}
