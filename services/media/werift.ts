/** The one place that loads werift: 30 MB that only calls with a handshake between media ports or with ICE need. */
export function loadWerift() {
  return import('werift');
}

export type Werift = Awaited<ReturnType<typeof loadWerift>>;
/** One end of a DTLS association. */
export type DtlsEnd = InstanceType<Werift['DtlsClient' | 'DtlsServer']>;
