/** Makes the JSON lines of the daemons readable for people: time, level, daemon, event and fields on one line. */
export async function prettyLines(colour: boolean): Promise<(line: string) => string> {
  // Only `--pretty` pays for loading it.
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({
    colorize: colour,
    messageKey: 'event',
    timestampKey: 'time',
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname,daemon',
    messageFormat: '[{daemon}] {event}',
    singleLine: true,
  });
}
