#!/bin/sh
# Makes the root file system, the kernel and its modules of a Debian image.
#
#   build-root.sh OUT
#
# Runs as root of its own mount and PID namespaces, which the caller makes with
# unshare(1); for a normal user in a user namespace too. Everything temporary lives
# on a tmpfs that only these namespaces see, so that killing this script at any
# moment leaves nothing behind but files in OUT:
#   root.erofs  vmlinuz  release  packages  hashes  indexes  modules/NAME.ko  modules.order
#
# Inputs, from the environment:
#   SUITE              Debian suite
#   MIRROR             base of the archive, http://deb.debian.org/debian
#   SECURITY_MIRROR    the same for security updates
#   KERNEL_PACKAGE     kernel metapackage; fetched and taken apart, not installed
#   PACKAGES           packages to install, comma list
#   MODULES            kernel modules the guest needs, space list
#   FETCH_MIRROR, FETCH_SECURITY_MIRROR
#                      where to fetch from; the image names MIRROR and SECURITY_MIRROR
#   EPOCH              the newest moment any file may carry, in seconds since 1970; when empty,
#                      that of the archive's last change
#   SCRATCH_SIZE       bound of the tmpfs, as mount(8) takes it
#   FS_UUID            UUID of the file system
# and from OUT/pins, if it is there: lines "name version", the versions to install where the
# archive has them.
# Progress is one line per stage on file descriptor 3.
set -eu

stage() { echo "$1" >&3; }

# mmdebstrap runs this script as its first hook too, before apt reads anything.
prepare_root() {
  mkdir -p "$1/etc/apt/preferences.d"
  [ -e /mnt/out/pins ] || return 0
  sed 's/^\([^ ]*\) \(.*\)$/Package: \1\nPin: version \2\nPin-Priority: 1001\n/' /mnt/out/pins \
    > "$1/etc/apt/preferences.d/gondolin"
}

# mmdebstrap runs this script again as its last hook, with the finished root.
finish_root() {
  root=$1
  out=/mnt/out

  stage "Fetching the kernel"
  export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
  package=$(kernel_package)
  [ -n "$package" ] || { echo "E: $KERNEL_PACKAGE names no kernel" >&2; exit 1; }
  mkdir /mnt/kernel
  (cd /mnt/kernel && apt-get -o APT::Sandbox::User=root download "$package" && dpkg-deb --extract ./*.deb .)
  echo "$package $(dpkg-deb --field /mnt/kernel/*.deb Version)" > /mnt/kernel/package
  {
    chroot "$root" dpkg-query --show --showformat '${Package} ${Version}\n'
    cat /mnt/kernel/package
  } | LC_ALL=C sort > "$out/packages"
  hashes_of "$out/packages" > "$out/hashes"
  indexes "$root" > "$out/indexes"
  if [ -e "$out/pins" ] && ! cmp -s "$out/pins" "$out/packages"; then
    echo "E: these are not the pinned packages" >&2
    exit 1
  fi
  epoch=${EPOCH:-$(sort -k 2n "$out/indexes" | tail -n 1 | cut -d ' ' -f 2)}
  unset APT_CONFIG
  cp /mnt/kernel/boot/vmlinuz-* "$out/vmlinuz"
  echo "${package#linux-image-}" > "$out/release"
  copy_modules "$out"

  stage "Writing the root file system"
  # A view of the root without what mmdebstrap mounted into it.
  mkdir /mnt/view
  mount --bind "$root" /mnt/view
  cd /mnt/view
  rm -rf var/lib/apt/lists/* var/cache/* var/log/* etc/apt/apt.conf.d/99mmdebstrap \
    etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/ld.so.cache~ var/lib/dpkg/*-old var/backups/* \
    etc/apt/preferences.d/gondolin
  sed -i "s|$FETCH_SECURITY_MIRROR |$SECURITY_MIRROR |; s|$FETCH_MIRROR |$MIRROR |" etc/apt/sources.list
  : > etc/machine-id
  echo gondolin > etc/hostname
  printf '127.0.0.1\tlocalhost gondolin\n::1\tlocalhost ip6-localhost ip6-loopback\n' > etc/hosts
  echo '# This machine has no network beyond its loopback.' > etc/resolv.conf
  mkdir -p etc/gondolin
  # Byte code knows its source by its time stamp, which does not change here.
  find . -xdev -name __pycache__ -prune -exec rm -rf {} +
  env -u SOURCE_DATE_EPOCH chroot "$root" sh -c \
    'python3 -m compileall -q -j 0 --invalidation-mode timestamp /usr/lib/python3 /usr/lib/python3.* >&2 || true'
  find . -xdev -newermt "@$epoch" -exec touch --no-dereference --date="@$epoch" {} +
  touch --date="@$epoch" dev proc sys run tmp etc/apt/preferences.d
  SOURCE_DATE_EPOCH=$epoch mkfs.erofs --quiet -zlz4hc,9 -C65536 -U"$FS_UUID" \
    --exclude-regex='^(dev|proc|sys|run|tmp)/.' "$out/root.erofs" /mnt/view >&2
}

# The kernel package to take: the one that is pinned, while the archive has it, else what the
# metapackage depends on.
kernel_package() {
  pinned=$(grep -o -s '^linux-image-[^ ]*' /mnt/out/pins || true)
  if [ -n "$pinned" ] && apt-cache show "$pinned" > /dev/null 2>&1; then
    echo "$pinned"
    return
  fi
  apt-cache depends --important "$KERNEL_PACKAGE" |
    sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1
}

# "name sha256" of each package file that the lines "name version" of file $1 mean, as the
# signed index has it.
hashes_of() {
  tr ' ' '=' < "$1" | xargs apt-cache show |
    sed -n '/^Package: /{s///;h;}; /^SHA256: /{s///;G;s/\(.*\)\n\(.*\)/\2 \1/p;}' | LC_ALL=C sort -u
}

# "name seconds sha256" of each index of the archive: its date is the newest that any file of
# the image may carry, and it is signed and names the hash of every list of packages.
indexes() {
  for index in "$1"/var/lib/apt/lists/*Release; do
    date=$(date --utc --date="$(sed -n 's/^Date: //p' "$index" | head -n 1)" +%s)
    echo "${index##*/} $date $(sha256sum < "$index" | cut -d ' ' -f 1)"
  done | LC_ALL=C sort
}

# Copies $MODULES and all they depend on to OUT/modules, and writes their names in
# the order to load them.
copy_modules() {
  mkdir "$1/modules"
  : > "$1/modules.order"
  for module in $MODULES; do
    add_module "$1" "$module"
  done
}

# Module names have underscores where file names may have dashes. What no file is
# found for is built into the kernel.
add_module() {
  if grep -qx "$2" "$1/modules.order"; then return; fi
  set -- "$1" "$2" "$(find /mnt/kernel/lib/modules -name "$(echo "$2" | sed 's/_/[-_]/g').ko" | head -n 1)"
  if [ -z "$3" ]; then return; fi
  for needed in $(tr '\0' '\n' < "$3" | sed -n 's/^depends=//p; s/^softdep=pre: //p' | tr ',-' ' _'); do
    add_module "$1" "$needed"
  done
  cp "$3" "$1/modules/$2.ko"
  echo "$2" >> "$1/modules.order"
}

# What this machine's apt was told about proxies and clocks holds for the image's.
host_apt_options() {
  apt-config dump | sed -n -E '/^Acquire::(https?::Proxy|Check-(Valid-Until|Date)) /p'
}

make_root() {
  mount -t tmpfs -o "mode=755,size=$SCRATCH_SIZE" tmpfs /mnt
  mkdir /mnt/out /mnt/tmp
  mount --bind "$1" /mnt/out
  host_apt_options > /mnt/apt.conf
  stage "Installing Debian packages"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  options="[signed-by=$keyring]"
  [ -e "$keyring" ] || options=
  # What is pinned is compared in the end, so an index may be as old as it is.
  set --
  [ ! -e /mnt/out/pins ] || set -- --aptopt='Acquire::Check-Valid-Until "false"'
  TMPDIR=/mnt/tmp exec mmdebstrap --mode=root --variant=essential --format=null \
    --include="$PACKAGES" \
    --aptopt=/mnt/apt.conf \
    "$@" \
    --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --setup-hook='sh /mnt/out/build-root.sh --prepare "$1"' \
    --customize-hook='sh /mnt/out/build-root.sh --finish "$1"' \
    "$SUITE" /dev/null \
    "deb $options $FETCH_MIRROR $SUITE main" \
    "deb $options $FETCH_MIRROR $SUITE-updates main" \
    "deb $options $FETCH_SECURITY_MIRROR $SUITE-security main"
}

case $1 in
  --prepare) prepare_root "$2" ;;
  --finish) finish_root "$2" ;;
  *) make_root "$1" ;;
esac
