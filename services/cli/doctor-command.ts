import { diagnose, findingLines } from './doctor.ts';
import { examine } from './examination.ts';
import { healthTable } from './health-table.ts';
import type { Output } from './phone-commands.ts';
import type { Place } from './place.ts';

/** What is wrong, and with `table` what is well; `trouble` when something keeps the phone from its work. */
export async function doctor(place: Place, options: { table: boolean; json: boolean }): Promise<{ lines: Output; trouble: boolean }> {
  const examined = await examine(place);
  const findings = diagnose(examined);
  const trouble = findings.some((finding) => finding.trouble);
  if (options.json) return { lines: [JSON.stringify(findings, null, 2)], trouble };
  return { lines: [...(options.table ? [...healthTable(examined, findings), ''] : []), ...findingLines(findings)], trouble };
}
