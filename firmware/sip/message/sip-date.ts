const dayNames = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** 2020-01-01: a machine that believes in an earlier time has no idea of the time, and had better not spread it. */
const plausibleFrom = 1_577_836_800_000;

/** RFC 3261 §20.17: the value of Date for a wall-clock time (ms since 1970); `undefined` while the machine's clock is not set. */
export function sipDate(wallTime: number): string | undefined {
  if (!(wallTime >= plausibleFrom)) return undefined;
  const seconds = Math.floor(wallTime / 1000);
  const days = Math.floor(seconds / 86_400);
  const { year, month, day } = civilOf(days);
  const clock = [seconds / 3600, seconds / 60, seconds].map((value, i) => two(Math.floor(value) % (i === 0 ? 24 : 60))).join(':');
  return `${dayNames[days % 7]}, ${two(day)} ${monthNames[month]} ${year} ${clock} GMT`;
}

/** The wall-clock time (ms since 1970) that a Date means; `undefined` for what is none. */
export function parseSipDate(text: string): number | undefined {
  const [dayName, day, month, year, clock, zone, ...rest] = text.trim().split(' ');
  const [hours, minutes, seconds] = (clock ?? '').split(':').map(whole);
  const [dayOfMonth, monthIndex, inYear] = [whole(day), monthNames.indexOf(month ?? ''), whole(year)];
  if (rest.length > 0 || zone !== 'GMT' || !dayNames.includes((dayName ?? '').replace(',', '')) || monthIndex < 0) return undefined;
  if (!(dayOfMonth >= 1 && dayOfMonth <= 31 && inYear >= 1970 && inYear <= 9999)) return undefined;
  if (hours === undefined || minutes === undefined || seconds === undefined) return undefined;
  if (!(hours <= 23 && minutes <= 59 && seconds <= 60)) return undefined;
  return 1000 * (86_400 * daysUntil(inYear, monthIndex, dayOfMonth) + 3600 * hours + 60 * minutes + seconds);
}

/** Days since 1970-01-01, again by years that begin in March. */
function daysUntil(year: number, month: number, day: number): number {
  const shifted = month < 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1;
  return 365 * shifted + Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400) + dayOfYear - 719_468;
}

function whole(text: string | undefined): number {
  return text !== undefined && text.length > 0 && text.length <= 4 && [...text].every((digit) => digit >= '0' && digit <= '9')
    ? Number(text)
    : Number.NaN;
}

/** The Gregorian date `days` after 1970-01-01, by years that begin in March: then the leap day is the last one. */
function civilOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = (marchMonth + 2) % 12;
  return { year: yearOfEra + era * 400 + (month < 2 ? 1 : 0), month, day };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
