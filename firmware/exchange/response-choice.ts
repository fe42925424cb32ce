import type { Response } from '#firmware/sip/message/message.ts';

/** RFC 3261 §16.7 step 6: within the 4xx class those that tell the caller how to do better. */
const helpful = [401, 407, 415, 420, 484];
/** What says least of the person called: a phone that is off must not hide that another one is busy. */
const unhelpful = [404, 408, 481, 487];

/** The final response that stands for all branches: any 6xx, else the lowest class. `undefined` when there is none. */
export function bestResponse(responses: readonly Response[]): Response | undefined {
  let best: Response | undefined;
  for (const response of responses) if (!best || rank(response.statusCode) < rank(best.statusCode)) best = response;
  return best && withAllChallenges(best, responses);
}

function rank(statusCode: number): number {
  const category = Math.floor(statusCode / 100);
  if (category === 6) return 0;
  if (category !== 4) return category * 10;
  if (helpful.includes(statusCode)) return 40;
  return unhelpful.includes(statusCode) ? 42 : 41;
}

/** §16.7 step 7: whoever is asked for credentials is asked for those of all branches at once. */
function withAllChallenges(best: Response, responses: readonly Response[]): Response {
  if (best.statusCode !== 401 && best.statusCode !== 407) return best;
  let { headers } = best;
  for (const other of responses) {
    if (other === best || (other.statusCode !== 401 && other.statusCode !== 407)) continue;
    for (const name of ['WWW-Authenticate', 'Proxy-Authenticate']) {
      for (const field of other.headers.all(name)) headers = headers.append(name, field.value);
    }
  }
  return best.with({ headers });
}
