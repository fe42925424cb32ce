import t from 'tap';
import * as rules from './rules.ts';
import { parseSource, readSources, type Source } from './source-tree.ts';

/** A rule, files that break it with the number of places where they do, and files that look alike but keep it. */
interface Law {
  readonly title: string;
  readonly rule: rules.Rule;
  readonly broken: Readonly<Record<string, string>>;
  readonly places: number;
  readonly kept: Readonly<Record<string, string>>;
}

const laws: readonly Law[] = [
  {
    title: '§4 a folder imports only what the import rule lets it see',
    rule: rules.importRule,
    broken: {
      'firmware/core/a.ts': `import { b } from '#firmware/sip/b.ts';\nimport { readFile } from 'node:fs';`,
      'firmware/sip/a.ts': `import { b } from '../sdp/b.ts';\nimport * as v from 'valibot';`,
      'firmware/config/a.ts': `import { b } from 'pino';`,
      'firmware/exchange/a.ts': `export type A = import('#firmware/phone/b.ts').B;`,
      'firmware/platform/a.ts': `import { b } from '#firmware/phone/b.ts';`,
      'hal/a.ts': `const b = await import('#services/phone/b.ts');\nimport c from '../package.json' with { type: 'json' };`,
      'services/web/ui/a.tsx': `import { readFile } from 'node:fs';\nimport { b } from '#services/web/b.ts';`,
      'firmware/elsewhere/a.ts': ``,
    },
    places: 12,
    kept: {
      'firmware/core/a.ts': `import { b } from './b.ts';`,
      'firmware/sip/transaction/a.ts': `import { b } from '../message/b.ts';\nimport { c } from '#firmware/core/c.ts';`,
      'firmware/config/a.ts': `import * as v from 'valibot';`,
      'firmware/platform/a.ts': `import { readFile } from 'node:fs';\nimport { pino } from 'pino';`,
      'hal/a.ts': `import { b } from '#firmware/contract/b.ts';\nimport { c } from 'naudiodon';`,
      'services/web/a.ts': `import { b } from '#hal/b.ts';\nimport { c } from '../phone/c.ts';\nimport { version } from '../../package.json';`,
      'services/web/ui/a.tsx': `import { b } from '#firmware/contract/b.ts';\nimport { render } from 'preact';\nimport { h } from 'preact/hooks';`,
      'test/hal/a.test.ts': `import { b } from '#services/phone/b.ts';\nimport t from 'tap';`,
    },
  },
  {
    title: '§4 nobody imports the main of a service',
    rule: rules.mainRule,
    broken: { 'test/a.test.ts': `await import('#services/phone/main.ts');`, 'services/cli/a.ts': `import '../web/main.ts';` },
    places: 2,
    kept: { 'services/web/main.ts': `import { b } from './domain.ts';\nimport { c } from './ui/main.tsx';` },
  },
  {
    title: '§4 paths name the file and stay within their top folder',
    rule: rules.specifierRule,
    broken: {
      'hal/a.ts': `import { b } from '../firmware/core/b.ts';\nimport { c } from './c';`,
      'firmware/sip/a.ts': `import { b } from './b.js';`,
    },
    places: 3,
    kept: {
      'firmware/sip/a.ts': `import { b } from '../core/b.ts';\nimport { c } from '#firmware/core/c.ts';\nimport { d } from 'node:fs';`,
    },
  },
  {
    title: '§4 there is no cycle',
    rule: rules.cycleRule,
    broken: {
      'hal/a.ts': `import { b } from './b.ts';`,
      'hal/b.ts': `import { c } from '#hal/c.ts';`,
      'hal/c.ts': `import type { a } from './a.ts';`,
      'hal/d.ts': `import { d } from './d.ts';`,
    },
    places: 2,
    kept: { 'hal/a.ts': `import './b.ts';\nimport './c.ts';`, 'hal/b.ts': `import './c.ts';`, 'hal/c.ts': `import 'node:fs';` },
  },
  {
    title: '§4 one package is imported by one file',
    rule: rules.packageRule,
    broken: {
      'hal/a.ts': `import { b } from 'naudiodon';`,
      'services/media/b.ts': `import type { c } from 'naudiodon/types';`,
      'services/web/a.ts': `import { b } from '@fastify/static';`,
      'services/web/b.ts': `import { b } from '@fastify/static';\nimport { c } from '@fastify/websocket';`,
    },
    places: 2,
    kept: {
      'hal/a.ts': `import { b } from 'naudiodon';\nimport * as v from 'valibot';`,
      'firmware/config/a.ts': `import * as v from 'valibot';`,
      'test/a.test.ts': `import { b } from 'naudiodon';`,
    },
  },
  {
    title: '§4 no file passes on the exports of another',
    rule: rules.barrelRule,
    broken: { 'hal/a.ts': `export * from './b.ts';\nexport { c } from './c.ts';\nimport { d } from './d.ts';\nexport { d };` },
    places: 3,
    kept: { 'hal/a.ts': `import { b } from './b.ts';\nexport const c = b;\nexport interface D {}` },
  },
  {
    title: '§5.9 there is no default export',
    rule: rules.defaultExportRule,
    broken: {
      'hal/a.ts': `export default class A {}`,
      'hal/b.ts': `const b = 1;\nexport default b;`,
      'hal/c.ts': `export default function c() {}`,
    },
    places: 3,
    kept: { 'hal/a.ts': `switch (1) { default: }\nexport class A { default = 1 }` },
  },
  {
    title: '§5.1 firmware outside platform is synchronous, without Node, clock or chance',
    rule: rules.purityRule,
    broken: {
      'firmware/sip/a.ts': `export async function a(x: () => Promise<void>) { await x(); }`,
      'firmware/rtp/a.ts': `const a = Date.now() + Math.random();\nlet b: Buffer;\nsetTimeout(() => console.log(process.pid), 1);`,
      'firmware/core/a.ts': `const a = { Buffer };\nconst b = new Promise(() => 1);\nconst c = globalThis;`,
    },
    places: 11,
    kept: {
      'firmware/sip/a.ts': `const a = { process: 1, Date: '' };\na.process++;\nexport interface B { console: number; Date(): void }\n// Date.now()`,
      'firmware/core/store.ts': `export interface Store { get(key: string): Promise<string> }`,
      'firmware/platform/a.ts': `export async function a() { await Promise.resolve(Date.now()); }`,
      'hal/a.ts': `setTimeout(() => console.log(Math.random()), 1);`,
    },
  },
  {
    title: '§5.6 no error is swallowed',
    rule: rules.swallowRule,
    broken: { 'hal/a.ts': `b().catch(() => {});\nb().catch((e) => undefined);\nb().catch(() => {\n});` },
    places: 3,
    kept: { 'hal/a.ts': `b().catch((e) => log(e));\nb().catch(report);` },
  },
  {
    title: 'nothing is left for later',
    rule: rules.finishedRule,
    broken: { 'hal/a.ts': `// ${'TO'}DO mend\nconst a = 1; // ${'FIX'}ME` },
    places: 2,
    kept: { 'hal/a.ts': `// a toDo list` },
  },
  {
    title: '§5.11 a source file has at most 450 lines',
    rule: rules.lengthRule,
    broken: { 'hal/a.ts': `${'\n'.repeat(450)}const a = 1;\n` },
    places: 1,
    kept: { 'hal/a.ts': `${'\n'.repeat(449)}const a = 1;\n`, 'test/a.test.ts': '\n'.repeat(900) },
  },
  {
    title: '§6 names say what a thing is',
    rule: rules.nameRule,
    broken: {
      'hal/gpio-helper.ts': ``,
      'firmware/utils/a.ts': ``,
      'firmware/sip/session.ts': ``,
      'hal/a.ts': `class CallManager {}\nexport type Client = 1;\nconst base = 1;\nfunction eventHandler() {}\ninterface DeviceInfo {}`,
    },
    places: 8,
    kept: {
      'firmware/sip/dialog/invite-session.ts': `export class InviteSession {}`,
      'firmware/sip/sip-info.ts': `const base64Text = '';\nfunction f() { const data = 1; return data; }\ninterface ClientTransaction {}\nfunction commonCodecs() {}\nconst escapeBase = 64;`,
    },
  },
];

const sources = await readSources();

t.test('the rules look at the whole house', async (t) => {
  for (const folder of ['firmware/core/', 'firmware/sip/', 'hal/', 'services/', 'scripts/', 'test/']) {
    t.ok(
      sources.some(({ path }) => path.startsWith(folder)),
      `${folder} has sources`,
    );
  }
});

for (const { title, rule, broken, places, kept } of laws) {
  t.test(title, async (t) => {
    const found = rule(parseAll(broken));
    t.equal(found.length, places, `finds what breaks it in an example: ${found.join('; ')}`);
    t.strictSame(rule(parseAll(kept)), [], 'finds nothing in an example that keeps it');
    t.strictSame(rule(sources), [], 'the house keeps it');
  });
}

function parseAll(files: Readonly<Record<string, string>>): Source[] {
  return Object.entries(files).map(([path, text]) => parseSource(path, text));
}
