import type { CallLogEntry, CallStatus, DoorLogEntry, PhoneStatus, TextEntry } from '#firmware/contract/phone.ts';

/** The state of the phone for people at a terminal. */
export function statusLines(status: PhoneStatus): string[] {
  const { daemons, board, tone, missedCalls, dialed } = status;
  const absent = Object.entries(daemons).flatMap(([name, up]) => (up ? [] : [name]));
  return [
    `hookswitch ${status.version}, since ${when(status.startedAt)}`,
    ...(absent.length > 0 ? [`does not answer: ${absent.join(', ')}`] : []),
    ...status.lines.map(lineLine),
    ...(status.lines.length === 0 ? ['no line is set up: hookswitch config set line.1.aor=sip:… line.1.password=…'] : []),
    `hook ${status.hook ?? 'none'}${tone ? `, tone ${tone}` : ''}${dialed ? `, dialed ${dialed}` : ''}`,
    ...status.calls.map(callLine),
    ...(status.calls.length === 0 ? ['no calls'] : []),
    ...(missedCalls > 0 ? [`${missedCalls} missed calls`] : []),
    ...(status.unreadTexts > 0 ? [`${status.unreadTexts} unread text messages`] : []),
    ...status.watched.map(
      ({ name, state, remote, reason }) => `watched ${name}: ${state}${remote ? ` with ${remote}` : ''}${reason ? ` (${reason})` : ''}`,
    ),
    ...(status.completion ? [`call back ${status.completion.remote}: ${status.completion.state}`] : []),
    ...status.alerts
      .filter(({ state }) => state !== 'idle')
      .map(({ alert, state, round, person }) => alertLine(alert, state, round, person)),
    ...status.notices.map((notice) => `notice: ${notice}`),
    ...(board?.faults ?? []).map(({ element, reason }) => `fault: ${element}: ${reason}`),
  ];
}

export function callLogLines(entries: readonly CallLogEntry[]): string[] {
  if (entries.length === 0) return ['no calls yet'];
  const rows = entries.map((entry) => [
    when(entry.at),
    entry.direction === 'incoming' ? 'from' : 'to',
    entry.displayName ? `${entry.displayName} <${entry.remote}>` : entry.remote,
    entry.outcome,
    entry.outcome === 'accepted' ? length(entry.seconds) : (entry.statusCode ?? '').toString(),
    entry.owner === 'handset' ? '' : entry.owner,
  ]);
  return table(rows);
}

export function doorLogLines(entries: readonly DoorLogEntry[]): string[] {
  if (entries.length === 0) return ['no door events yet'];
  return table(entries.map(({ at, door, event, by, via, detail }) => [when(at), door, event, by, via, detail]));
}

export function textLines(texts: readonly TextEntry[]): string[] {
  if (texts.length === 0) return ['no text messages yet'];
  return table(
    texts.map(({ at, direction, remote, text, statusCode }) => {
      const outcome = statusCode === null ? 'not answered yet' : statusCode < 300 ? 'delivered' : `refused (${statusCode})`;
      const who = remote.displayName ? `${remote.displayName} <${remote.uri}>` : remote.uri;
      const isIncoming = direction === 'incoming';
      return [when(at), isIncoming ? 'from' : 'to', who, isIncoming ? '' : outcome, printable(text)];
    }),
  );
}

/** A text of somebody else must not steer the terminal. */
function printable(text: string): string {
  return [...text].map((character) => (character < ' ' || (character >= '\u007f' && character < '\u00a0') ? ' ' : character)).join('');
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function lineLine({ line, aor, registration, doNotDisturb, forward, messageWaiting }: PhoneStatus['lines'][number]): string {
  const { state, statusCode, reason, nextInMs } = registration;
  const why = state === 'registered' ? '' : reasonOf(statusCode, reason);
  const next = nextInMs !== null && state !== 'registered' ? `, next try in ${Math.ceil(nextInMs / 1000)} s` : '';
  const marks = [
    ...(doNotDisturb ? ['do not disturb'] : []),
    ...(forward ? [`forwarded to ${forward}`] : []),
    ...(messageWaiting.waiting ? [`${messageWaiting.newMessages} new messages`] : []),
  ];
  return `line ${line} ${aor}: ${state}${why}${next}${marks.map((mark) => `, ${mark}`).join('')}`;
}

function reasonOf(statusCode: number | null, reason: string | null): string {
  const code = statusCode === null || reason?.includes(String(statusCode)) ? [] : [statusCode];
  const words = [...code, ...(reason ? [reason] : [])];
  return words.length > 0 ? ` (${words.join(' ')})` : '';
}

function callLine({
  call,
  direction,
  state,
  conference,
  recording,
  level,
  remote,
  remarks,
  seconds,
  owner,
  digitsReceived,
  digitWay,
  encryption,
  way,
  media,
}: CallStatus): string {
  const who = remote.displayName ? `${remote.displayName} <${remote.uri}>` : remote.uri;
  const parts = [
    `call ${call} ${direction === 'incoming' ? 'from' : 'to'} ${who}: ${state}`,
    ...(seconds === null ? [] : [length(seconds)]),
    ...(owner === 'handset' ? [] : [owner]),
    ...remarks.map(printable),
    ...(conference ? ['in conference'] : []),
    ...(recording ? ['recorded'] : []),
    ...(level === 0 ? [] : [`heard ${level > 0 ? '+' : ''}${level} dB`]),
    ...(encryption ? [`encrypted (${encryption})`] : []),
    ...(way ? [`by ICE (${way})`] : []),
    ...(digitsReceived ? [`digits ${digitsReceived}`] : []),
    ...(digitWay.evidence.length > 0 ? [`far end ${digitWay.evidence.join(', ')}`] : []),
    ...(media ? [`packets ${media.packetsSent} out, ${media.packetsReceived} in, ${media.packetsLost} lost`] : []),
    ...(media?.voice && media.voice.echo !== 'off' ? [echoText(media.voice)] : []),
    ...(media && media.opinionScore !== null ? [`sounds ${media.opinionScore.toFixed(1)} of 4.5`] : []),
  ];
  return parts.join(', ');
}

function echoText({ echo, echoReductionDb }: { echo: string; echoReductionDb: number | null }): string {
  if (echo === 'halfDuplex') return 'one side speaks at a time';
  return `echo ${Math.round(echoReductionDb ?? 0)} dB fainter`;
}

function alertLine(alert: string, state: string, round: number, person: string | null): string {
  return `alert ${alert}: ${state}, round ${round}${person ? `, ${person}` : ''}`;
}

function length(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** Local time, to the second. */
export function when(wallTime: number): string {
  const date = new Date(wallTime);
  const local = new Date(wallTime - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
}
