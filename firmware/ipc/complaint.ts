import { messageOf, RemoteError, ResourceError, UsageError } from '../core/errors.ts';
import type { Complaint } from './message.ts';

const maximumMessageLength = 2000;

/** Codes that say a device, a disk or the other process failed. */
const resourceCodes = new Set(['resource', 'timeout', 'peer-lost', 'not-connected', 'too-many-commands']);
/** Codes that say the other side broke the rules or has a bug. */
const remoteCodes = new Set(['remote', 'internal', 'invalid-result', 'not-json', 'not-utf8', 'not-a-message', 'line-too-long']);

/** What an implementation threw, as it goes over the socket. Bugs are named `internal`. */
export function complaintOf(thrown: unknown): Complaint {
  return { code: codeOf(thrown), message: messageOf(thrown).slice(0, maximumMessageLength) };
}

/** The error a complaint stands for: the class that was thrown at the other end. */
export function errorOf(complaint: Complaint): Error {
  if (resourceCodes.has(complaint.code)) return new ResourceError(complaint.message);
  if (remoteCodes.has(complaint.code)) return new RemoteError(complaint.message);
  return new UsageError(complaint.code, complaint.message);
}

function codeOf(thrown: unknown): string {
  if (thrown instanceof UsageError) return thrown.code;
  if (thrown instanceof ResourceError) return 'resource';
  return thrown instanceof RemoteError ? 'remote' : 'internal';
}
