import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { idsOf, type PurposeGroup, purposeGroups } from './etsi-purposes.ts';

const root = join(import.meta.dirname, '../..');
const sourceFolders = ['firmware/sip'];
const testFolders = ['test/firmware/sip', 'test/platform', 'test/interop', 'test/fuzz', 'test/vectors'];
/** Files whose bare `§` mean another RFC than 3261; 0: another standard, such as that of a hash. */
const homeRfcs: Readonly<Record<string, number>> = {
  digest: 7616,
  'digest-hash': 0,
  'reliable-provisional': 3262,
  'session-timer': 4028,
  'session-timer-table': 4028,
  'session-terms': 4028,
  'sha-512-256': 0,
};
const coreRfc = 3261;

/** Where sections are named: source files, and titles of tests. */
interface Entry {
  readonly files: Set<string>;
  readonly tests: Set<string>;
}

/** A section of an RFC; '' for the whole of it. */
interface Reference {
  readonly rfc: number;
  readonly section: string;
}

/** firmware/sip/README.md, made of the comments of the sources and the titles of the tests. */
export function conformancePage(): string {
  const titles = titlesOfTests();
  const entries = new Map<string, Entry>();
  const entryOf = ({ rfc, section }: Reference): Entry => {
    const key = `${rfc} ${section}`;
    const entry = entries.get(key) ?? { files: new Set<string>(), tests: new Set<string>() };
    entries.set(key, entry);
    return entry;
  };
  for (const file of filesBelow(sourceFolders)) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const comment of text.match(/\/\*\*[\s\S]*?\*\/|\/\/[^\n]*/g) ?? []) {
      for (const reference of referencesIn(comment, file)) entryOf(reference).files.add(file);
    }
  }
  for (const { title, file } of titles)
    for (const reference of referencesIn(title, file)) entryOf(reference).tests.add(`${title} (${file})`);
  return `${heading}\n${sectionTables(entries)}\n${purposeTable(new Set(titles.map(({ title }) => title)))}`;
}

const heading = `# SIP

The SIP stack of the phone, pure and sans-IO: bytes and time go in, outputs are drained. \`message/\` reads and writes, \`transport/\` knows flows,
\`transaction/\` holds the four machines of RFC 3261 §17, \`dialog/\` what lives in a dialog; \`user-agent.ts\` puts them together.

This page is the conformance list, made of the comments of the sources and the titles of the tests by \`node --import tsx
scripts/conformance/main.ts\`; a test fails when it is stale. A section without a test has none that names it in its title.
`;

function sectionTables(entries: ReadonlyMap<string, Entry>): string {
  const rfcs = [...new Set([...entries.keys()].map((key) => Number(key.split(' ')[0])))].sort((a, b) => a - b);
  // The core first.
  const ordered = [coreRfc, ...rfcs.filter((rfc) => rfc !== coreRfc)];
  return ordered
    .map((rfc) => {
      const rows = [...entries]
        .filter(([key]) => key.startsWith(`${rfc} `))
        .map(([key, entry]) => ({ section: key.slice(key.indexOf(' ') + 1), entry }))
        .sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }))
        .map(({ section, entry }) => {
          const files = [...entry.files].map((file) => relative('firmware/sip', file)).sort();
          return `| ${section === '' ? 'as a whole' : `§${section}`} | ${files.join('<br>')} | ${[...entry.tests].map(cell).sort().join('<br>')} |`;
        });
      return `## RFC ${rfc}\n\n| section | files | tests |\n|---|---|---|\n${rows.join('\n')}\n`;
    })
    .join('\n');
}

function shareOf({ covered, applying }: { readonly covered: number; readonly applying: number }): string {
  return ((100 * covered) / applying).toFixed(1);
}

/** OE, TE and RT in the identifier. */
function roleOf({ purposes }: PurposeGroup): string {
  return purposes.includes('_OE_') ? 'originating' : purposes.includes('_TE_') ? 'terminating' : 'registering';
}

function purposeTable(titles: ReadonlySet<string>): string {
  const counted = { all: 0, applying: 0, covered: 0 };
  const byRole = new Map(['originating', 'terminating', 'registering'].map((role) => [role, { applying: 0, covered: 0 }]));
  const rows = purposeGroups.map((group) => {
    const count = idsOf(group).length;
    counted.all += count;
    for (const sum of [counted, byRole.get(roleOf(group))]) {
      if (sum && group.absent === undefined) sum.applying += count;
      if (sum && isCovered(group)) sum.covered += count;
    }
    for (const title of group.tests ?? []) if (!titles.has(title)) throw new Error(`${group.purposes}: there is no test ${title}`);
    return `| ${group.purposes.replaceAll('_', '\\_')} | ${group.sections} | ${verdictOf(group)} |`;
  });
  const share = shareOf(counted);
  const roles = [...byRole].map(([role, sum]) => `${role} ${sum.covered} of ${sum.applying} (${shareOf(sum)} %)`).join(', ');
  return `## ETSI TS 102 027-2

The ${counted.all} purposes for originating, terminating and registering ends, by the section of RFC 3261 that each cites (the text of the purposes is not free, so
they were laid beside our tests by section and not word by word: a purpose counts as covered when tests of ours show what its section asks of that role).
${counted.applying} of them apply to a phone; ${counted.covered} are covered (${share} %): ${roles}. Proxies, redirect servers and registrars are other devices.

| purposes | sections | covered by |
|---|---|---|
${rows.join('\n')}
`;
}

/** What is partly open counts as open. */
function isCovered({ tests, open, absent }: PurposeGroup): boolean {
  return tests !== undefined && open === undefined && absent === undefined;
}

function verdictOf({ tests, open, absent }: PurposeGroup): string {
  if (absent !== undefined) return `does not apply: ${absent}`;
  const named = (tests ?? []).map(cell).join('<br>');
  return open === undefined ? named : `**open**: ${open}${named === '' ? '' : `<br>${named}`}`;
}

function filesBelow(folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.includes('.tmp.'))
        .map((entry) => relative(root, join(entry.parentPath, entry.name))),
    )
    .sort();
}

/** What tests are called: the first word of a call of `test`, and the names in tables of cases. */
function titlesOfTests(): { readonly title: string; readonly file: string }[] {
  const patterns = [
    /\.test\(\s*(['`])((?:(?!\1)[^\\\n]|\\.)*)\1/g,
    /\b(?:title|what): (['`])((?:(?!\1)[^\\\n]|\\.)*)\1/g,
    /^ {2,4}\[?\s*(')([^'\\\n]{12,})',/gm,
  ];
  return filesBelow(testFolders).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const found = patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, , title]) => title ?? ''));
    return [...new Set(found)].map((title) => ({ title, file }));
  });
}

/** `RFC 4028 §7.1, §9`: a bare section belongs to the RFC named last, else to that of the file. */
function referencesIn(text: string, file: string): Reference[] {
  const references: Reference[] = [];
  let rfc = homeRfcs[basename(file).replace(/(\.test)?\.ts$/, '')] ?? coreRfc;
  let isWhole = false;
  const whole = (): void => {
    if (isWhole) references.push({ rfc, section: '' });
    isWhole = false;
  };
  for (const [, named, section] of text.matchAll(/RFC (\d{3,5})|§(\d+(?:\.\d+)*)/g)) {
    if (named !== undefined) {
      whole();
      rfc = Number(named);
      isWhole = true;
    } else if (section !== undefined) {
      isWhole = false;
      if (rfc !== 0) references.push({ rfc, section });
    }
  }
  whole();
  return references;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*').replaceAll('_', '\\_');
}
