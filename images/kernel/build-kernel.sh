#!/bin/sh
# Builds our guest kernel from Debian's linux-source package and minimal.config.
#
#   build-kernel.sh --check          only whether every option survives
#   build-kernel.sh OUT              writes OUT, an ELF kernel for QEMU's -kernel
#
# The same package and the same options give the same bytes: nothing of this machine,
# its user or the time goes in. Takes some six minutes on two cores. Needs the packages
# linux-source-6.1 flex bison bc libelf-dev libssl-dev gcc make xz-utils.
set -eu

source=${LINUX_SOURCE:-/usr/src/linux-source-6.1.tar.xz}
fragment=$(dirname "$(readlink -f "$0")")/minimal.config
[ $# = 1 ] || { sed -n '4,5s/^# *//p' "$0" >&2; exit 2; }
for need in "$source" /usr/bin/flex /usr/bin/bison /usr/bin/bc /usr/include/libelf.h /usr/include/openssl/ssl.h; do
  [ -e "$need" ] || {
    echo "$need is missing: apt-get install linux-source-6.1 flex bison bc libelf-dev libssl-dev" >&2
    exit 1
  }
done

out=$1
[ "$out" = --check ] || out=$(readlink -f "$out")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
tar --extract --file="$source" --directory="$work" --strip-components=1
cd "$work"

export LC_ALL=C KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=gondolin KBUILD_BUILD_HOST=gondolin
export KBUILD_BUILD_VERSION=1
sed 's/[[:space:]]*#.*//; /^$/d' "$fragment" > wanted.config
make --silent KCONFIG_ALLCONFIG=wanted.config allnoconfig > make.log 2>&1 || { cat make.log >&2; exit 1; }

# What was asked for and is not there: renamed, or it wants another option first.
lost=
while IFS='=' read -r option value; do
  case $value in
    n) grep -q "^$option=" .config && lost="$lost $option" ;;
    *) grep -qxF -- "$option=$value" .config || lost="$lost $option" ;;
  esac
done < wanted.config
[ -z "$lost" ] || { echo "options of minimal.config that did not survive:$lost" >&2; exit 1; }
[ "$out" != --check ] || { echo "all $(wc -l < wanted.config) options survive"; exit 0; }

make --silent --jobs="$(nproc)" vmlinux
objcopy --strip-all vmlinux "$out"
