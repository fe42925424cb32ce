/**
 * Runs before any package is compiled (npm runs every `preinstall` before the first `install`) and puts right in naudiodon 2.3.6 what keeps it
 * from compiling or running:
 * - gcc 13 and later no longer bring `std::string` by other headers;
 * - the PortAudio it links against is the x86-64 one even on arm64, and on armhf one that fails with the first stream: Debian's takes its place.
 */
const { execFileSync } = require('node:child_process');
const { copyFileSync, readFileSync, realpathSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const naudiodon = join(__dirname, '..', 'naudiodon');

includeString(join(naudiodon, 'src', 'PaContext.h'));
if (process.arch !== 'x64' || process.env.HOOKSWITCH_SYSTEM_PORTAUDIO) {
  for (const folder of ['bin', 'bin_armhf']) copyFileSync(systemPortAudio(), join(naudiodon, 'portaudio', folder, 'libportaudio.so.2'));
}

function includeString(header) {
  const text = readFileSync(header, 'utf8');
  if (!text.includes('#include <string>')) writeFileSync(header, text.replace('#include <memory>', '#include <memory>\n#include <string>'));
}

function systemPortAudio() {
  const libraries = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  const line = libraries.split('\n').find((row) => row.includes('libportaudio.so.2 '));
  const path = line?.split('=> ')[1];
  if (!path) throw new Error('naudiodon needs the PortAudio of Debian on this processor: sudo apt-get install libportaudio2');
  return realpathSync(path.trim());
}
