import type { Request } from '#firmware/sip/message/message.ts';

/**
 * RFC 5393 §4.2.2: the second half of our branches. A request that comes back to us changed by nobody has the same mark and runs in a loop; one
 * that comes back with another Request-URI or other routes is a spiral, and welcome.
 */
export function loopMark(request: Request): string {
  const { from, to, cSeq } = request;
  let text = `${request.requestUri} ${request.callId} ${from.tag ?? ''} ${to.tag ?? ''} ${cSeq.number} ${cSeq.method}`;
  for (const route of request.routes) text += ` ${route.uri}`;
  for (const option of request.proxyRequire) text += ` ${option}`;
  return hash(text);
}

/** True if one of the Vias is ours and bears this mark. */
export function isLoop(request: Request, mark: string, isOurs: (host: string, port: number | undefined) => boolean): boolean {
  return request.vias.some(({ branch, host, port }) => branch?.endsWith(`.${mark}`) === true && isOurs(host, port));
}

/** Two FNV-1a halves over the UTF-16 units. Who forges an equal mark gets his own request refused. */
function hash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0xc9dc5118;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x01000197);
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}
