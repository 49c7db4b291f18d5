#!/bin/sh
# Builds our guest kernel from Debian's linux-source package and minimal.config, which
# lies beside this script.
#
#   build-kernel.sh describe      says what would be built, in lines on file descriptor 3:
#                                 package NAME, version VERSION, compiler NAME, missing PACKAGE
#   build-kernel.sh check         only sees whether every option survives
#   build-kernel.sh build         writes vmlinux, an ELF kernel for QEMU's -kernel, and
#                                 release to the current directory; its work goes beside them
#
# The same package, options and compiler give the same bytes: nothing of this machine, its
# user or the time goes in. Needs no root: where the source is not installed, apt fetches
# and checks it. Progress of a build is one line per stage on file descriptor 3.
set -eu

config=$(dirname "$(readlink -f "$0")")/minimal.config
{ true >&3; } 2> /dev/null || exec 3>&2

# What is installed serves; else the newest that apt knows of. Sets package and version,
# both empty when there is neither.
find_source() {
  package=$(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' 'linux-source-[0-9]*' 2> /dev/null |
    sed -n 's/^installed //p' | sort --version-sort | tail -n 1)
  version=
  if [ -n "$package" ]; then
    version=$(dpkg-query --show --showformat '${Version}' "$package")
    return
  fi
  package=$(apt-cache depends linux-source 2> /dev/null |
    sed -n 's/^ *Depends: \(linux-source-[0-9.]*\)$/\1/p' | head -n 1)
  [ -z "$package" ] || version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
}

# The packages that are needed and not there, one a line.
missing_packages() {
  for need in flex:flex bison:bison bc:bc gcc:gcc make:make xz:xz-utils ld:binutils; do
    command -v "${need%%:*}" > /dev/null || echo "${need#*:}"
  done
  [ -e /usr/include/libelf.h ] || echo libelf-dev
  [ -n "$package" ] || echo linux-source
}

describe() {
  find_source
  missing_packages | sed 's/^/missing /' >&3
  echo "package $package" >&3
  echo "version $version" >&3
  if command -v gcc ld > /dev/null; then
    echo "compiler $(gcc --version | head -n 1), $(ld --version | head -n 1)" >&3
  fi
}

# Leaves the source in ./source.
unpack_source() {
  find_source
  tarball=/usr/src/$package.tar.xz
  if [ ! -e "$tarball" ]; then
    echo "Fetching the kernel's source" >&3
    apt-get -o APT::Sandbox::User=root download "$package=$version"
    dpkg-deb --fsys-tarfile ./"$package"_*.deb | tar --extract --to-stdout "./usr/src/$package.tar.xz" > source.tar.xz
    tarball=source.tar.xz
  fi
  echo "Unpacking the kernel's source" >&3
  mkdir source
  tar --extract --no-same-owner --file="$tarball" --directory=source --strip-components=1
}

configure() {
  sed 's/[[:space:]]*#.*//; /^$/d' "$config" > wanted.config
  make --silent --directory=source KCONFIG_ALLCONFIG="$PWD/wanted.config" allnoconfig
  # What was asked for and is not there: renamed, or it wants another option first.
  lost=
  while IFS='=' read -r option value; do
    case $value in
      n) if grep -q "^$option=" source/.config; then lost="$lost $option"; fi ;;
      *) grep -qxF -- "$option=$value" source/.config || lost="$lost $option" ;;
    esac
  done < wanted.config
  [ -z "$lost" ] || { echo "options of minimal.config that did not survive:$lost" >&2; exit 1; }
}

build() {
  unpack_source
  configure
  echo "Compiling the kernel" >&3
  make --directory=source --jobs="$(nproc)" vmlinux
  objcopy --strip-all source/vmlinux vmlinux
  cat source/include/config/kernel.release > release
}

check() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  cd "$work"
  unpack_source
  configure
  echo "all $(wc -l < wanted.config) options survive"
}

unset MAKEFLAGS MAKELEVEL
export LC_ALL=C KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=gondolin KBUILD_BUILD_HOST=gondolin
export KBUILD_BUILD_VERSION=1
case "${1:-}" in
  describe | check | build) "$1" ;;
  *) sed -n '5,10s/^# *//p' "$0" >&2; exit 2 ;;
esac
