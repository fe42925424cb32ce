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
