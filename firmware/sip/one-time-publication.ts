import type { Milliseconds } from '../core/clock.ts';
import { randomToken } from '../core/entropy.ts';
import type { AgentCore } from './agent-core.ts';
import { ClientRequest } from './client-request.ts';
import { destinationOf, type Identity, securedFor } from './identity.ts';
import { buildRequest } from './message/build.ts';
import { NameAddr } from './message/name-addr.ts';
import type { Uri } from './message/uri.ts';
import { typedBody } from './message-body.ts';
import type { Body } from './user-agent-events.ts';

/** What is told once, and to whom. */
export interface Notice {
  readonly event: string;
  readonly target: Uri;
  readonly body: Body;
  /** The answer; 408 = there was none, 503 = nobody could be asked. */
  readonly report: (statusCode: number) => void;
}

/** RFC 3903 §4.2 with nothing to refresh: what is told has happened, and stays so. */
export function publishOnce(core: AgentCore, now: Milliseconds, identity: Identity, { event, target, body, report }: Notice): void {
  const way = identity.outgoing ?? destinationOf(target);
  const destination = way && securedFor(target, way);
  if (!destination) {
    report(503);
    return;
  }
  const from = identity.from(destination).withParam('tag', randomToken(core.entropy, 10));
  const callId = randomToken(core.entropy, 22);
  let sequence = 0;
  new ClientRequest(now, {
    core,
    identity,
    destination,
    inDialog: false,
    build: () => {
      sequence++;
      return buildRequest({
        method: 'PUBLISH',
        requestUri: target,
        from,
        to: new NameAddr(target),
        callId,
        sequence,
        routes: identity.routes,
        headers: [
          ['Event', event],
          ['Expires', '0'],
        ],
        body: typedBody(body),
      });
    },
    onResponse: (_at, { isFinal, statusCode }) => isFinal && report(statusCode),
    onFailure: (_at, cause) => report(cause === 'timeout' ? 408 : 503),
  });
}
