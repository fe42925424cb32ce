# Read by scripts/test, scripts/demo and scripts/install (`. scripts/setup.sh`): gets from Debian and npm what a task needs, only what is
# missing, and says what and why. Asks nothing. Everything it prints goes to stderr.
# shellcheck shell=bash

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup_log=${HOOKSWITCH_SETUP_LOG:-${TMPDIR:-/tmp}/hookswitch-setup-$(id -u).log}

say() { printf '%s\n' "$*" >&2; }

# The status of a lab that this machine cannot run, for a reason outside the project (EX_UNAVAILABLE): what it needs is not there or not answering.
not_here=69
# What `fail` ends with; scripts of the lab say $not_here while they prepare.
fail_status=1

# fail MESSAGE [HINT …]: one line of what is wrong, one per hint, then the end.
fail() {
  say "error: $1"
  shift
  local hint
  for hint in "$@"; do say "       $hint"; done
  exit "$fail_status"
}

# as_root COMMAND …: runs it as root, by sudo when that asks nothing.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null
}

# step "what it does" COMMAND …: runs the command with its output in the log; shows the end of that when it fails. Gives the status of the command.
step() {
  local title=$1 begun=$SECONDS mark status=0
  shift
  say "  $title …"
  mark=$(stat -c %s "$setup_log" 2> /dev/null || echo 0)
  "$@" >> "$setup_log" 2>&1 < /dev/null || status=$?
  if [ "$status" = 0 ]; then
    [ $((SECONDS - begun)) -lt 5 ] || say "    done in $((SECONDS - begun)) s"
    return 0
  fi
  say "    failed; the end of $setup_log:"
  tail -c "+$((mark + 1))" "$setup_log" | tail -n 25 | sed 's/^/    /' >&2
  return "$status"
}

# need_node: Node 20 or later and npm.
need_node() {
  local major
  command -v node > /dev/null || fail 'Node.js is not installed; hookswitch needs version 20 or later' \
    'Debian 13 and Raspberry Pi OS (Trixie): sudo apt-get install nodejs npm' \
    'Debian 12 and Raspberry Pi OS (Bookworm): https://github.com/nodesource/distributions'
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || fail "Node.js $(node --version) is too old; hookswitch needs version 20 or later" \
    'see https://github.com/nodesource/distributions'
  command -v npm > /dev/null || need_packages 'npm|npm|fetches the JavaScript packages'
}

# need_packages 'PACKAGE[,OTHER NAME …]|PROGRAM or empty|why' …: installs what is missing from Debian. A package counts as there when the
# program is, or, without a program, when one of its names is installed.
need_packages() {
  local row names program why missing=() lines=()
  for row in "$@"; do
    IFS='|' read -r names program why <<< "$row"
    is_present "$names" "$program" && continue
    missing+=("$names")
    lines+=("    ${names%%,*}: $why")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say 'Debian packages that are missing:'
  printf '%s\n' "${lines[@]}" >&2
  command -v apt-get > /dev/null || fail 'this is not a Debian system: install the above by hand and start again'
  can_be_root || fail 'installing them needs root, and sudo would ask for a password' \
    "sudo apt-get install ${missing[*]%%,*}"
  install_packages "${missing[@]}" || exit "$fail_status"
}

is_present() {
  local name
  if [ -n "$2" ]; then PATH=$PATH:/usr/sbin:/sbin command -v "$2" > /dev/null && return 0; fi
  for name in ${1//,/ }; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null)" = installed ] && return 0
  done
  return 1
}

# In a shell of its own, so that its trap cannot get in the way of the script's.
install_packages() (
  local names chosen=() service
  lists_are_fresh || step 'refreshing the package lists' as_root apt-get update -q || say '    going on with the lists as they are'
  for names in "$@"; do chosen+=("$(first_known "$names")"); done
  keep_services_off
  step "installing ${chosen[*]}" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${chosen[@]}" ||
    fail 'the packages could not be installed' "sudo apt-get install ${chosen[*]}"
  # The tests start it on ports of their own; at boot nobody asked for it.
  for service in "${chosen[@]}"; do
    [ "$service" != kamailio ] || as_root systemctl disable --quiet kamailio.service 2>> "$setup_log" || true
  done
)

lists_are_fresh() {
  [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 -print -quit 2> /dev/null)" ]
}

# first_known A,B: the name that this Debian has (libasound2t64 on 13, libasound2 on 12).
first_known() {
  local name
  for name in ${1//,/ }; do
    if apt-cache policy "$name" 2> /dev/null | grep -q 'Candidate: [^(]'; then
      echo "$name"
      return
    fi
  done
  echo "${1%%,*}"
}

# Debian starts a daemon as soon as its package is unpacked; its own switch against that is a policy file. An existing one is left alone.
keep_services_off() {
  local policy=/usr/sbin/policy-rc.d
  [ ! -e "$policy" ] || return 0
  # shellcheck disable=SC2064
  trap "as_root rm -f $policy" EXIT
  printf '#!/bin/sh\n# by hookswitch, while it installs packages\nexit 101\n' | as_root tee "$policy" > /dev/null
  as_root chmod 755 "$policy"
}

# What the JavaScript packages need to be compiled and loaded. epoll and naudiodon (and, where no ready-made one can be had, sqlite3) are
# compiled; the rest load what they were compiled against.
build_packages=(
  'build-essential|c++|compiles the native packages'
  'python3|python3|node-gyp runs on it'
  'libasound2t64,libasound2||sound devices'
)
case $(uname -m) in
  x86_64 | i?86) ;;
  *) build_packages+=('libportaudio2||sound on this processor: naudiodon brings PortAudio for x86 only') ;;
esac

# need_npm_packages: node_modules as package-lock.json says, compiled for this Node.
need_npm_packages() {
  need_node
  need_packages "${build_packages[@]}"
  local reason
  reason=$(cd "$project" && stale_reason) || return 0
  say "node_modules: $reason"
  (cd "$project" && step 'npm ci (minutes on a small machine)' npm ci --no-audit --no-fund) || fail 'the JavaScript packages could not be installed'
}

# stale_reason: says why node_modules must be made anew, or fails when it need not.
stale_reason() {
  node - << 'END'
const { existsSync, readFileSync } = require('node:fs');
const stale = (reason) => {
  console.log(reason);
  process.exit(0);
};
if (!existsSync('node_modules/.package-lock.json')) stale('not there yet');
const wanted = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages;
const there = JSON.parse(readFileSync('node_modules/.package-lock.json', 'utf8')).packages;
for (const [path, { version, link, optional }] of Object.entries(wanted)) {
  if (!path.startsWith('node_modules/') || optional) continue;
  if (there[path]?.version !== version && !link) stale(`${path.slice(13)} ${there[path]?.version ?? 'missing'}, ${version} wanted`);
}
for (const name of ['epoll', 'sqlite3', 'naudiodon']) {
  try {
    require(require.resolve(name, { paths: [process.cwd()] }));
  } catch {
    stale(`${name} was not compiled for this Node`);
  }
}
process.exit(1);
END
}
