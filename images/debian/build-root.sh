#!/bin/sh
# Makes the root file system, the kernel and its modules of a Debian image.
#
#   build-root.sh OUT
#
# Runs as root of its own mount and PID namespaces, which the caller makes with
# unshare(1); for a normal user in a user namespace too. Everything temporary lives
# on a tmpfs that only these namespaces see, so that killing this script at any
# moment leaves nothing behind but files in OUT:
#   root.erofs  vmlinuz  release  packages  modules/NAME.ko  modules.order
#
# Inputs, from the environment:
#   SUITE              Debian suite
#   MIRROR             base of the archive, http://deb.debian.org/debian
#   SECURITY_MIRROR    the same for security updates
#   KERNEL_PACKAGE     kernel metapackage; fetched and taken apart, not installed
#   PACKAGES           packages to install, comma list
#   MODULES            kernel modules the guest needs, space list
#   SCRATCH_SIZE       bound of the tmpfs, as mount(8) takes it
#   FS_UUID            UUID of the file system
# Progress is one line per stage on file descriptor 3.
set -eu

stage() { echo "$1" >&3; }

# mmdebstrap runs this script again as its last hook, with the finished root.
finish_root() {
  root=$1
  out=/mnt/out

  stage "Fetching the kernel"
  export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
  package=$(apt-cache depends --important "$KERNEL_PACKAGE" |
    sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -n 1)
  [ -n "$package" ] || { echo "E: $KERNEL_PACKAGE names no kernel" >&2; exit 1; }
  mkdir /mnt/kernel
  (cd /mnt/kernel && apt-get -o APT::Sandbox::User=root download "$package" && dpkg-deb --extract ./*.deb .)
  echo "$package $(dpkg-deb --field /mnt/kernel/*.deb Version)" > /mnt/kernel/package
  epoch=$(archive_date "$root")
  unset APT_CONFIG
  cp /mnt/kernel/boot/vmlinuz-* "$out/vmlinuz"
  echo "${package#linux-image-}" > "$out/release"
  copy_modules "$out"

  stage "Writing the root file system"
  {
    chroot "$root" dpkg-query --show --showformat '${Package} ${Version}\n'
    cat /mnt/kernel/package
  } | LC_ALL=C sort > "$out/packages"

  # A view of the root without what mmdebstrap mounted into it.
  mkdir /mnt/view
  mount --bind "$root" /mnt/view
  cd /mnt/view
  rm -rf var/lib/apt/lists/* var/cache/* var/log/* etc/apt/apt.conf.d/99mmdebstrap \
    etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/ld.so.cache~ var/lib/dpkg/*-old var/backups/*
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
  touch --date="@$epoch" dev proc sys run tmp
  SOURCE_DATE_EPOCH=$epoch mkfs.erofs --quiet -zlz4hc,9 -C65536 -U"$FS_UUID" \
    --exclude-regex='^(dev|proc|sys|run|tmp)/.' "$out/root.erofs" /mnt/view >&2
}

# When the archive was last changed, in seconds since 1970: the newest moment that
# any file of the image may carry.
archive_date() {
  sed -n 's/^Date: //p' "$1"/var/lib/apt/lists/*Release | while read -r date; do
    date --utc --date="$date" +%s
  done | sort -n | tail -n 1
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
  TMPDIR=/mnt/tmp exec mmdebstrap --mode=root --variant=essential --format=null \
    --include="$PACKAGES" \
    --aptopt=/mnt/apt.conf \
    --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook='sh /mnt/out/build-root.sh --finish "$1"' \
    "$SUITE" /dev/null \
    "deb $options $MIRROR $SUITE main" \
    "deb $options $MIRROR $SUITE-updates main" \
    "deb $options $SECURITY_MIRROR $SUITE-security main"
}

if [ "$1" = --finish ]; then
  finish_root "$2"
else
  make_root "$1"
fi
