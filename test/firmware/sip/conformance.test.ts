import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { corpusText } from '#test/support/corpus.ts';
import { idsOf, purposeGroups } from '../../../scripts/conformance/etsi-purposes.ts';
import { conformancePage } from '../../../scripts/conformance/page.ts';

t.test('firmware/sip/README.md lists the sections, files and tests that there are', async (t) => {
  const written = readFileSync(join(import.meta.dirname, '../../../firmware/sip/README.md'), 'utf8');
  t.ok(written === conformancePage(), 'is up to date: node --import tsx scripts/conformance/main.ts');
});

t.test('every ETSI purpose for a phone stands in the table once', async (t) => {
  const ids = purposeGroups.flatMap(idsOf);
  t.equal(new Set(ids).size, ids.length, 'none twice');
  const list = corpusText(t, 'etsi/ts_102_027-2_ids.json');
  if (list === undefined) return;
  const phone = (JSON.parse(list) as { ids: readonly string[] }).ids.filter((id) => /^SIP_(CC|MG|QC|RG)_(OE|TE|RT)_/.test(id));
  t.strictSame([...ids].sort(), [...phone].sort());
});
