/** How one SRTP suite protects packets; lengths in bytes. */
export interface SrtpSuite {
  readonly cipher: 'counter' | 'gcm';
  readonly keyLength: number;
  readonly saltLength: number;
  /** Of an RTP packet. */
  readonly tagLength: number;
  /** Of an RTCP packet: 80 bits even where RTP has 32 (RFC 4568 §6.2.2). */
  readonly rtcpTagLength: number;
}

/** The suites by their names in SDP: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2. */
export const srtpSuites = {
  AES_CM_128_HMAC_SHA1_80: { cipher: 'counter', keyLength: 16, saltLength: 14, tagLength: 10, rtcpTagLength: 10 },
  AES_CM_128_HMAC_SHA1_32: { cipher: 'counter', keyLength: 16, saltLength: 14, tagLength: 4, rtcpTagLength: 10 },
  AES_256_CM_HMAC_SHA1_80: { cipher: 'counter', keyLength: 32, saltLength: 14, tagLength: 10, rtcpTagLength: 10 },
  AES_256_CM_HMAC_SHA1_32: { cipher: 'counter', keyLength: 32, saltLength: 14, tagLength: 4, rtcpTagLength: 10 },
  AEAD_AES_128_GCM: { cipher: 'gcm', keyLength: 16, saltLength: 12, tagLength: 16, rtcpTagLength: 16 },
  AEAD_AES_256_GCM: { cipher: 'gcm', keyLength: 32, saltLength: 12, tagLength: 16, rtcpTagLength: 16 },
} as const satisfies Record<string, SrtpSuite>;

export type SrtpSuiteName = keyof typeof srtpSuites;

export const srtpSuiteNames = Object.keys(srtpSuites) as readonly SrtpSuiteName[];
