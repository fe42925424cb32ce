import { readdir, readFile } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import {
  createSourceFile,
  forEachChild,
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isStringLiteralLike,
  type Node,
  ScriptTarget,
  type SourceFile,
  SyntaxKind,
} from 'typescript';

/** One source file: its path from the root of the project with `/`, its text, its syntax tree and what it imports. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly syntax: SourceFile;
  readonly imports: readonly Import[];
}

/** What one `import`, `export … from`, `import()` or `require()` names. */
export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** The source file it means, when it is one of the project. */
  readonly path?: string;
  /** The npm package it means, without a path inside it. */
  readonly npm?: string;
}

const root = join(import.meta.dirname, '../..');
const topFolders = ['firmware', 'hal', 'services', 'scripts', 'test'];

/** All TypeScript sources of the project, in order of their paths. */
export async function readSources(): Promise<Source[]> {
  const paths: string[] = [];
  for (const folder of topFolders) {
    const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true });
    for (const entry of entries) if (/\.tsx?$/.test(entry.name) && entry.isFile()) paths.push(join(entry.parentPath, entry.name));
  }
  paths.sort();
  return Promise.all(paths.map(async (path) => parseSource(relative(root, path), await readFile(path, 'utf8'))));
}

/** Reads one file's text as if it lay at `path`. */
export function parseSource(path: string, text: string): Source {
  const syntax = createSourceFile(path, text, ScriptTarget.ES2023, true);
  return { path, text, syntax, imports: importsOf(path, syntax) };
}

/** Calls `visit` for a node and everything below it. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  forEachChild(node, (child) => walk(child, visit));
}

/** The line of a node, counted from 1. */
export function lineOf(source: { readonly syntax: SourceFile }, node: Node): number {
  return source.syntax.getLineAndCharacterOfPosition(node.getStart(source.syntax)).line + 1;
}

function importsOf(path: string, syntax: SourceFile): Import[] {
  const imports: Import[] = [];
  walk(syntax, (node) => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf({ syntax }, node), ...targetOf(path, specifier) });
  });
  return imports;
}

function specifierOf(node: Node): string | undefined {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (isImportTypeNode(node)) return isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined;
  if (!isCallExpression(node)) return undefined;
  const imports = node.expression.kind === SyntaxKind.ImportKeyword || node.expression.getText() === 'require';
  return imports ? textOf(node.arguments[0]) : undefined;
}

function textOf(node: Node | undefined): string | undefined {
  return node && isStringLiteralLike(node) ? node.text : undefined;
}

function targetOf(path: string, specifier: string): Pick<Import, 'path' | 'npm'> {
  if (specifier.startsWith('.')) return { path: posix.join(posix.dirname(path), specifier) };
  if (specifier.startsWith('#')) return { path: specifier.slice(1) };
  if (specifier.startsWith('node:')) return {};
  const parts = specifier.split('/');
  return { npm: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
}
