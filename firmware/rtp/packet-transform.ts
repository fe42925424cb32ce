/** Bytes that protection may add to a packet; whoever makes packets leaves so much room behind them. */
export const protectionAtMost = 24;

/** Why a packet that should be protected is not taken. */
export type ProtectionFault = 'srtp-truncated' | 'srtp-unauthenticated' | 'srtp-replayed';

/** What is done to each packet right before it is sent and right after it came: in place, so nothing is copied. */
export interface PacketTransform {
  /** Protects the first `length` bytes; returns how many there are then. */
  protectRtp(bytes: Uint8Array, length: number): number;
  protectRtcp(bytes: Uint8Array, length: number): number;
  /** Returns how many bytes of packet are left, or why it is refused; the bytes of a refused one are of no use. */
  unprotectRtp(bytes: Uint8Array): number | ProtectionFault;
  unprotectRtcp(bytes: Uint8Array): number | ProtectionFault;
}
