import { fixedNames, settingsSchema } from '#firmware/config/schema.ts';
import type { Setting, SettingValue } from '#firmware/config/setting.ts';

const heading = `# Settings

Made from the schema in \`firmware/config\`; do not edit. After a change of the schema:
\`HOOKSWITCH_WRITE_DOCS=1 npx tap test/firmware/config/config.test.ts\`.

\`hookswitch config set KEY VALUE\` changes a setting, \`config unset KEY\` takes it back to its default. A \`*\` stands for a name you choose
(letters, digits and -). Times may have a unit: \`500 ms\`, \`2 s\`, \`1 min\`, \`1 h\`; a bare number is in the unit of the setting. Lists have
commas between, or are JSON arrays. Secrets are masked in every output unless \`--reveal\` is given. ↻ = takes effect after a restart.
`;

/** docs/settings.md: every setting by group, made from the schema. */
export function settingsReference(): string {
  const groups = new Map<string, string[]>();
  for (const [pattern, setting] of Object.entries<Setting<SettingValue>>(settingsSchema)) {
    const group = pattern.includes('.*.') ? pattern.slice(0, pattern.indexOf('*') + 1) : pattern.slice(0, pattern.indexOf('.'));
    groups.set(group, [...(groups.get(group) ?? []), rowOf(pattern, setting)]);
  }
  return [heading, ...[...groups].map(([group, rows]) => groupText(group, rows))].join('\n');
}

function groupText(group: string, rows: readonly string[]): string {
  const names = fixedNames[group.split('.', 1)[0] ?? ''];
  const title = names ? `${group} (${names.join(', ')})` : group;
  return `## ${title}\n\n| key | default | values | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function rowOf(pattern: string, setting: Setting<SettingValue>): string {
  const text = setting.format(setting.default);
  const unit = text === '' || setting.unit === '' ? '' : ` ${setting.unit}`;
  const values = setting.kind === 'secret' ? 'secret' : setting.allowed || setting.kind;
  const meaning = `**${setting.title}**${setting.restart ? ' ↻' : ''}. ${setting.description}`;
  return `| \`${pattern}\` | ${text === '' ? '–' : `\`${text}\`${unit}`} | ${values} | ${meaning} |`;
}
