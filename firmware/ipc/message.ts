/** One line on the wire. `hello` comes first from both sides; `fault` says what was wrong with a line and asks for no reply. */
export type Message =
  | { readonly type: 'hello'; readonly contract: string; readonly version: number; readonly role: string }
  | { readonly type: 'command'; readonly id: number; readonly name: string; readonly args: unknown }
  | { readonly type: 'reply'; readonly id: number; readonly result: unknown; readonly error?: undefined }
  | { readonly type: 'reply'; readonly id: number; readonly error: Complaint }
  | { readonly type: 'event'; readonly name: string; readonly data: unknown }
  | ({ readonly type: 'fault' } & Complaint);

/** Why something was refused: a stable word for programs and a sentence for people. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
}

const maximumNameLength = 64;
const maximumTextLength = 4096;

/** The message in a line, or the complaint to send back. What it carries is checked later, by the schema of its contract. */
export function parseMessage(text: string): Message | Complaint {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: 'not-json', message: 'a line is not valid JSON' };
  }
  const message = isObject(value) ? shapeOf(value) : undefined;
  return message ?? { code: 'not-a-message', message: 'a line is not a hello, command, reply, event or fault' };
}

function shapeOf(value: Readonly<Record<string, unknown>>): Message | undefined {
  const { type, id, name, contract, version, role } = value;
  switch (type) {
    case 'hello':
      return isName(contract) && isCount(version) && isName(role) ? { type, contract, version, role } : undefined;
    case 'command':
      return isCount(id) && isName(name) ? { type, id, name, args: value.args } : undefined;
    case 'reply':
      return isCount(id) ? replyOf(id, value) : undefined;
    case 'event':
      return isName(name) ? { type, name, data: value.data } : undefined;
    case 'fault':
      return isComplaint(value) ? { type, code: value.code, message: value.message } : undefined;
    default:
      return undefined;
  }
}

function replyOf(id: number, value: Readonly<Record<string, unknown>>): Message | undefined {
  const error = value.error;
  if (error === undefined) return { type: 'reply', id, result: value.result };
  return isObject(error) && isComplaint(error) ? { type: 'reply', id, error: { code: error.code, message: error.message } } : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isComplaint(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, unknown>> & Complaint {
  return isName(value.code) && typeof value.message === 'string' && value.message.length <= maximumTextLength;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maximumNameLength;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
