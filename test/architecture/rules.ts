import {
  canHaveModifiers,
  getModifiers,
  type Identifier,
  isAwaitExpression,
  isCallExpression,
  isClassDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isInterfaceDeclaration,
  isPropertyAccessExpression,
  isQualifiedName,
  isTypeAliasDeclaration,
  isTypeReferenceNode,
  isVariableStatement,
  type Node,
  SyntaxKind,
} from 'typescript';
import { lineOf, type Source, walk } from './source-tree.ts';

/** A law of the house: gives one line per place that breaks it. */
export type Rule = (sources: readonly Source[]) => string[];

const sourceFolders = /^(firmware|hal|services)\//;
const sourceLinesAtMost = 450;

// ── who may import whom ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an area may import beside itself; `node:` and `npm` stand for all of either, another word with no folder for one package. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'firmware/core': [],
  'firmware/sip': ['firmware/core'],
  'firmware/sdp': ['firmware/core'],
  'firmware/rtp': ['firmware/core'],
  'firmware/audio': ['firmware/core'],
  'firmware/config': ['firmware/core', 'valibot'],
  'firmware/contract': ['firmware/core', 'valibot'],
  'firmware/ipc': ['firmware/core', 'firmware/contract'],
  'firmware/media': ['firmware/core', 'firmware/rtp', 'firmware/audio'],
  'firmware/exchange': ['firmware/core', 'firmware/sip'],
  'firmware/phone': ['firmware/core', 'firmware/sip', 'firmware/sdp', 'firmware/config', 'firmware/contract'],
  'firmware/platform': ['firmware/core', 'firmware/sip', 'firmware/ipc', 'firmware/contract', 'node:', 'npm'],
  hal: ['firmware/core', 'firmware/contract', 'firmware/audio', 'firmware/platform/native-library.ts', 'node:', 'npm'],
  'services/web/ui': [
    'firmware/core',
    'firmware/audio',
    'firmware/config',
    'firmware/contract',
    'valibot',
    'preact',
    '@preact/signals',
    'uplot',
  ],
  services: ['firmware', 'hal', 'package.json', 'node:', 'npm'],
  scripts: ['firmware', 'hal', 'services', 'test', 'node:', 'npm'],
  test: ['firmware', 'hal', 'services', 'scripts', 'node:', 'npm'],
};

/** The import rule: which folder may see which. */
export const importRule: Rule = (sources) =>
  sources.flatMap((source) => {
    const area = areaOf(source.path);
    const allowed = mayImport[area];
    if (!allowed) return [`${source.path}: lies in no folder of the plan`];
    return source.imports
      .filter(({ specifier, path, npm }) => {
        if (path !== undefined) return areaOf(path) !== area && !allowed.some((name) => path === name || path.startsWith(`${name}/`));
        if (specifier.startsWith('node:')) return !allowed.includes('node:');
        return !allowed.includes('npm') && !(npm !== undefined && allowed.includes(npm));
      })
      .map(({ specifier, line }) => `${source.path}:${line}: ${area} may not import ${specifier}`);
  });

/** Nobody imports a daemon's main: it starts running. */
export const mainRule: Rule = (sources) =>
  eachImport(sources, ({ path }) => /^services\/[^/]+\/main\.ts$/.test(path ?? '') && 'imports a main, which runs when it is loaded');

/** Folders that package.json gives a sign for others to name them by. */
const foldersWithSign = new Set(['firmware', 'hal', 'services', 'test']);

/** Paths name the file with its ending; they are relative within a top folder and begin with # across. */
export const specifierRule: Rule = (sources) =>
  eachImport(sources, ({ specifier, path }, source) => {
    if (path === undefined) return false;
    if (!/\.(ts|tsx|css|json|wav)$/.test(path)) return `must end in the file's own ending: ${specifier}`;
    const leaves = specifier.startsWith('.') && topOf(path) !== topOf(source.path) && foldersWithSign.has(topOf(path));
    return leaves && `leaves its top folder: write #${path}`;
  });

/** No file imports itself by any way round, types included. */
export const cycleRule: Rule = (sources) => {
  const targets = new Map(sources.map((source) => [source.path, source.imports.flatMap(({ path }) => path ?? [])]));
  const finished = new Set<string>();
  const way: string[] = [];
  const cycles: string[] = [];
  const visit = (path: string): void => {
    const start = way.indexOf(path);
    if (start >= 0) cycles.push([...way.slice(start), path].join(' → '));
    if (start >= 0 || finished.has(path)) return;
    way.push(path);
    for (const target of targets.get(path) ?? []) visit(target);
    way.pop();
    finished.add(path);
  };
  for (const path of targets.keys()) visit(path);
  return cycles;
};

/** Packages that several files may import: the schema library, and what the pages are made of. */
const sharedPackages = new Set(['valibot', 'preact', '@preact/signals']);

/** One third-party package, one file that imports it: what the package does wrong is mended in one place. */
export const packageRule: Rule = (sources) => {
  const importers = new Map<string, Set<string>>();
  for (const source of sources.filter(({ path }) => sourceFolders.test(path))) {
    for (const { npm } of source.imports) {
      if (npm === undefined || sharedPackages.has(npm)) continue;
      importers.set(npm, (importers.get(npm) ?? new Set()).add(source.path));
    }
  }
  return [...importers].filter(([, paths]) => paths.size > 1).map(([npm, paths]) => `${npm} is imported by ${[...paths].join(', ')}`);
};

// ── what a file may say ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** No barrel: every name is imported from the file that makes it. */
export const barrelRule: Rule = (sources) =>
  eachNode(sources, (node) => {
    if (!isExportDeclaration(node)) return false;
    return node.moduleSpecifier ? 'passes on what another file exports' : 'exports by a list: put `export` before the declaration';
  });

/** Exports have names. */
export const defaultExportRule: Rule = (sources) =>
  eachNode(sources, (node) => {
    const isDefault = canHaveModifiers(node) && getModifiers(node)?.some(({ kind }) => kind === SyntaxKind.DefaultKeyword);
    return (isDefault || isExportAssignment(node)) && 'has a default export';
  });

/** What the pure parts of firmware may not name: the machine, its clocks and its dice. */
const impure = new Set([
  ...['Buffer', 'process', 'console', 'globalThis', 'require', 'fetch', 'crypto', 'performance', 'Date', 'Promise', 'Intl'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask'],
]);

/** firmware/ outside platform/ is synchronous and touches neither Node nor clock nor chance. */
export const purityRule: Rule = (sources) =>
  eachNode(
    sources.filter(({ path }) => path.startsWith('firmware/') && !path.startsWith('firmware/platform/')),
    (node) => {
      if (node.kind === SyntaxKind.AsyncKeyword || isAwaitExpression(node)) return 'is asynchronous';
      if (isPropertyAccessExpression(node) && node.getText() === 'Math.random') return 'draws from Math.random: take Entropy';
      return isIdentifier(node) && impure.has(node.text) && isReference(node) && `names ${node.text}`;
    },
  );

/** Errors are answered, not thrown away. */
export const swallowRule: Rule = (sources) =>
  eachNode(sources, (node) => {
    if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression) || node.expression.name.text !== 'catch') return false;
    const handling = node.arguments[0]?.getText().replace(/\s+/g, ' ') ?? '';
    return /^\(\w*\) => (\{ ?\}|undefined|null|void 0)$/.test(handling) && 'swallows an error';
  });

const unfinished = new RegExp(`\\b(${['TO-DO', 'FIX-ME'].join('|').replaceAll('-', '')})\\b`);

/** Work is finished or is not there. */
export const finishedRule: Rule = (sources) =>
  sources.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (unfinished.test(line) ? `${path}:${index + 1}: is not finished` : [])),
  );

/** A file that grows past this has two subjects. Tests may be longer: they are few and mirror the source. */
export const lengthRule: Rule = (sources) =>
  sources
    .filter(({ path }) => sourceFolders.test(path) || path.startsWith('scripts/'))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > sourceLinesAtMost)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${sourceLinesAtMost}`);

// ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Words that are in no name. */
const emptyWords = new Set('util utils utility utilities helper helpers manager managers misc handler handlers'.split(' '));
/** Words that are not what a file or a type is: not alone, nor with something before them. */
const hollowWords = new Set(['common', 'data', 'info', 'base']);
/** Words that say which one of many before them: not alone. */
const bareWords = new Set(['session', 'client', 'server', 'connection', ...hollowWords]);
/** Words that mean something definite where they stand: SIP's INFO method, and a package named by others. */
const definiteNames = /^(sip-info|info-request|info-digits|segfault-handler)$/i;

/** Names say what a thing is: files, folders and what stands at the top of a source file. */
export const nameRule: Rule = (sources) => [
  ...sources.flatMap(({ path }) =>
    path
      .replace(/(\.test)?\.\w+$/, '')
      .split('/')
      .flatMap((part) => (saysNothing(part, part.split(/[-_.]/), true) ? `${path}: "${part}" says nothing` : [])),
  ),
  ...sources
    .filter(({ path }) => !path.startsWith('test/'))
    .flatMap((source) =>
      source.syntax.statements
        .flatMap(declaredNames)
        .filter(({ text }) => saysNothing(text, text.split(/(?=[A-Z])|_/), /^[A-Z]/.test(text)))
        .map((name) => `${source.path}:${lineOf(source, name)}: "${name.text}" says nothing`),
    ),
];

function saysNothing(name: string, words: readonly string[], isThing: boolean): boolean {
  if (definiteNames.test(name)) return false;
  const lower = words.map((word) => word.toLowerCase());
  const last = lower.at(-1) ?? '';
  return lower.some((word) => emptyWords.has(word)) || (lower.length === 1 && bareWords.has(last)) || (isThing && hollowWords.has(last));
}

function declaredNames(statement: Node): Identifier[] {
  if (isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name).filter(isIdentifier);
  const named =
    isClassDeclaration(statement) ||
    isFunctionDeclaration(statement) ||
    isInterfaceDeclaration(statement) ||
    isTypeAliasDeclaration(statement);
  return named && statement.name ? [statement.name] : [];
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function eachImport(sources: readonly Source[], judge: (found: Source['imports'][number], source: Source) => string | false): string[] {
  return sources.flatMap((source) =>
    source.imports.flatMap((found) => {
      const verdict = judge(found, source);
      return verdict === false ? [] : `${source.path}:${found.line}: ${verdict}`;
    }),
  );
}

function eachNode(sources: readonly Source[], judge: (node: Node) => string | false | undefined): string[] {
  const lines: string[] = [];
  for (const source of sources) {
    walk(source.syntax, (node) => {
      const verdict = judge(node);
      if (verdict) lines.push(`${source.path}:${lineOf(source, node)}: ${verdict}`);
    });
  }
  return lines;
}

/** Whether an identifier means a value or type of that name, rather than naming a property or a member of something else. */
function isReference(node: Identifier): boolean {
  const { parent } = node;
  if (isPropertyAccessExpression(parent)) return parent.expression === node;
  if (isQualifiedName(parent)) return parent.left === node;
  if (isTypeReferenceNode(parent)) return node.text !== 'Promise';
  const names = [SyntaxKind.PropertySignature, SyntaxKind.PropertyAssignment, SyntaxKind.PropertyDeclaration, SyntaxKind.MethodSignature];
  const members = [...names, SyntaxKind.MethodDeclaration, SyntaxKind.GetAccessor, SyntaxKind.BindingElement];
  return !(members.includes(parent.kind) && 'name' in parent && parent.name === node);
}

function topOf(path: string): string {
  return path.split('/', 1)[0] ?? '';
}

/** The row of the import table a file falls under: the longest that begins its path. */
function areaOf(path: string): string {
  const rows = Object.keys(mayImport).filter((name) => path.startsWith(`${name}/`));
  return rows.sort((a, b) => b.length - a.length)[0] ?? path;
}
