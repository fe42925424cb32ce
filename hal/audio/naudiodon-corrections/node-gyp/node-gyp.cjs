#!/usr/bin/env node
/**
 * npm runs this for `node-gyp` when it compiles a native package. It hands over to the node-gyp inside npm, after putting right in naudiodon
 * 2.3.6 what keeps it from compiling or running:
 * - gcc 13 and later no longer bring `std::string` by other headers;
 * - the PortAudio it links against is the x86-64 one even on arm64, and on armhf one that fails with the first stream: Debian's takes its place;
 * - it looks for that library by an absolute path: now beside itself, so that a built tree can be moved.
 */
const { execFileSync, spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, readFileSync, writeFileSync } = require('node:fs');

if (process.env.npm_package_name === 'naudiodon') {
  correct('src/PaContext.h', (text) =>
    text.includes('<string>') ? text : text.replace('#include <memory>', '#include <memory>\n#include <string>'),
  );
  correct('binding.gyp', (text) => text.replaceAll('-Wl,-rpath,<@(module_root_dir)/build/Release', "-Wl,-rpath,'$$$$ORIGIN'"));
  const arch = process.env.npm_config_arch ?? process.arch;
  if (arch !== 'x64' || process.env.HOOKSWITCH_SYSTEM_PORTAUDIO) useDebiansPortAudio();
}

const nodeGyp = process.env.npm_config_node_gyp;
if (!nodeGyp) throw new Error('native packages are compiled by npm: run npm ci, or npm rebuild');
const environment = { ...process.env };
if (headersVersion() === process.version) environment.npm_config_nodedir ??= '/usr';
const { status, error } = spawnSync(process.execPath, [nodeGyp, ...process.argv.slice(2)], { stdio: 'inherit', env: environment });
if (error) throw error;
process.exitCode = status ?? 1;

function correct(path, change) {
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

/** The one of this machine, or, when the compiler is one for another processor, the one that the caller names. */
function useDebiansPortAudio() {
  const libraries = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  const path = process.env.HOOKSWITCH_PORTAUDIO ?? /\slibportaudio\.so\.2 .*=> (.*)/.exec(libraries)?.[1];
  if (!path) throw new Error('naudiodon needs the PortAudio of Debian on this processor: sudo apt-get install libportaudio2');
  for (const folder of ['bin', 'bin_armhf']) copyFileSync(path, `portaudio/${folder}/libportaudio.so.2`);
}

/** The version of the headers in /usr/include/node, if any: Debian's and NodeSource's packages bring them, so nothing needs to be fetched. */
function headersVersion() {
  const header = '/usr/include/node/node_version.h';
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1]);
  return `v${parts.join('.')}`;
}
