/** The usual reason phrase of a status code (RFC 3261 §21 and its extensions), else that of its class. */
export function reasonPhraseOf(statusCode: number): string {
  return String(statusCode);
}
