"""Tries, inside a guest, what users of a sandbox expect of its kernel.

Prints a line for each thing: "ok NAME", or "missing NAME: why".
"""

import ctypes
import fcntl
import gzip
import os
import socket
import struct
import subprocess
import sys
import tempfile

libc = ctypes.CDLL(None, use_errno=True)

# Of x86-64, which Python has no names for.
IO_SETUP, ADD_KEY, PERF_EVENT_OPEN, FANOTIFY_INIT = 206, 248, 298, 300
SECCOMP, BPF, USERFAULTFD, IO_URING_SETUP, LANDLOCK_CREATE_RULESET = 317, 321, 323, 425, 444

FEATURES = {}


def feature(name):
    def add(action):
        FEATURES[name] = action
        return action
    return add


def call(function, *arguments):
    """Calls into libc and raises its errno when it fails."""
    result = function(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def syscall(*arguments):
    return call(libc.syscall, *arguments)


def bpf_call(command, attributes):
    """A load is given up with EAGAIN when a task work is pending, as of an io_uring just
    closed; libbpf asks again, too."""
    for _ in range(5):
        try:
            return syscall(BPF, command, buffer(120, attributes), 120)
        except BlockingIOError as error:
            last = error
    raise last


def run(command):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


def buffer(size, content=b""):
    return ctypes.create_string_buffer(content, size)


@feature("namespaces, as a user")
def namespaces():
    run("setpriv --reuid 65534 --regid 65534 --clear-groups unshare -U -r -n -m -p -f -i -u -C -T true")


@feature("cgroup v2 controllers")
def cgroups():
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as file:
        there = set(file.read().split())
    lacking = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} - there
    if lacking:
        raise RuntimeError(f"no {' '.join(sorted(lacking))}")


@feature("overlay on overlay")
def overlay():
    run("set -e; d=$(mktemp -d /tmp/XXXXXX); mount -t tmpfs none $d; cd $d; mkdir l u w m; echo x > l/f; "
        "mount -t overlay none -o lowerdir=l,upperdir=u,workdir=w m; echo y > m/f; grep -q y u/f; "
        "umount m; cd /; umount $d")


@feature("loop devices")
def loop():
    run("set -e; f=$(mktemp); head -c 1048576 /dev/zero > $f; d=$(losetup --find --show $f); "
        "head -c 512 $d > /dev/null; losetup --detach $d")


@feature("file systems")
def file_systems():
    with open("/proc/filesystems", encoding="ascii") as file:
        there = {line.split()[-1] for line in file}
    lacking = {"ext4", "erofs", "squashfs", "vfat", "iso9660", "overlay", "tmpfs", "fuse", "devpts", "mqueue",
               "hugetlbfs", "binfmt_misc", "cgroup2", "bpf"} - there
    if lacking:
        raise RuntimeError(f"no {' '.join(sorted(lacking))}")


@feature("io_uring")
def io_uring():
    os.close(syscall(IO_URING_SETUP, 8, buffer(120)))


@feature("AIO")
def aio():
    syscall(IO_SETUP, 8, ctypes.byref(ctypes.c_ulong(0)))


@feature("BPF maps and programs")
def bpf():
    # An array of one integer; then "r0 = 0; exit" as a socket filter.
    array = struct.pack("IIII", 2, 4, 8, 1)
    os.close(bpf_call(0, array))
    code = buffer(16, bytes.fromhex("b7000000000000009500000000000000"))
    text = buffer(4, b"GPL")
    program = struct.pack("IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(text))
    os.close(bpf_call(5, program))


@feature("seccomp filters")
def seccomp():
    syscall(SECCOMP, 2, 0, ctypes.byref(ctypes.c_uint32(0x7fff0000)))  # is SECCOMP_RET_ALLOW known?


@feature("Landlock")
def landlock():
    syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)


@feature("keys")
def keys():
    syscall(ADD_KEY, b"user", b"gondolin", b"x", 1, -3)


@feature("inotify")
def inotify():
    os.close(call(libc.inotify_init1, 0))


@feature("fanotify")
def fanotify():
    os.close(syscall(FANOTIFY_INIT, 0x4, 0))  # FAN_CLASS_CONTENT: may refuse an access


@feature("userfaultfd")
def userfaultfd():
    os.close(syscall(USERFAULTFD, 0))


@feature("memfd, eventfd, timerfd, signalfd")
def descriptors():
    os.close(os.memfd_create("x"))
    os.close(call(libc.eventfd, 0, 0))
    os.close(call(libc.timerfd_create, 1, 0))
    os.close(call(libc.signalfd, -1, buffer(128), 0))


@feature("perf events")
def perf():
    # Software event, task clock.
    attributes = struct.pack("IIQ", 1, 112, 1)
    os.close(syscall(PERF_EVENT_OPEN, buffer(112, attributes), 0, -1, -1, 0))


@feature("POSIX message queues")
def message_queues():
    queue = call(libc.mq_open, b"/x", os.O_CREAT | os.O_RDWR, 0o600, None)
    os.close(queue)
    call(libc.mq_unlink, b"/x")


@feature("System V IPC")
def system_v():
    for get in ((libc.shmget, 0, 4096, 0o600), (libc.semget, 0, 1, 0o600), (libc.msgget, 0, 0o600)):
        call(*get)


@feature("terminals")
def terminals():
    for end in os.openpty():
        os.close(end)


@feature("programs of other formats")
def binfmt():
    run("mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; "
        "grep -q enabled /proc/sys/fs/binfmt_misc/status")


@feature("random numbers of hardware")
def hardware_random():
    os.stat("/dev/hwrng")


@feature("IPv6")
def ipv6():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        socket.create_connection(server.getsockname()[:2]).close()


@feature("virtual links")
def links():
    run("set -e; ip link add d0 type dummy; ip link add v0 type veth peer name v1; ip link add b0 type bridge; "
        "ip link set v0 master b0; ip link add link d0 name d0.5 type vlan id 5; "
        "ip link add x0 type vxlan id 7 dev d0 dstport 4789; ip link add m0 link d0 type macvlan mode bridge; "
        "ip link add i0 link v1 type ipvlan; "
        "tc qdisc add dev d0 root netem delay 10ms; ip link del i0; ip link del m0; ip link del v0; "
        "ip link del b0; ip link del d0")


@feature("tun")
def tun():
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"tun0", 1))  # TUNSETIFF, IFF_TUN
    os.close(device)


def netfilter(message_type, message):
    """Sends one message to nf_tables and returns the type of the answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        kind = 10 << 8 | message_type
        netlink.send(struct.pack("IHHII", 16 + len(message), kind, 1, 1, 0) + message)
        answer = netlink.recv(4096)
    return struct.unpack("IH", answer[:6])[1] & 0xff


@feature("nftables")
def nftables():
    get_generation, new_generation = 16, 15
    if netfilter(get_generation, struct.pack("!BBH", 0, 0, 0)) != new_generation:
        raise RuntimeError("no answer of nf_tables")


@feature("iptables")
def iptables():
    for family, level in ((socket.AF_INET, 0), (socket.AF_INET6, 41)):  # SOL_IP, SOL_IPV6
        with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for table in (b"filter", b"nat", b"mangle", b"raw"):
                get_table(raw, level, table)


def get_table(raw, level, table):
    """What iptables asks first of all: IPT_SO_GET_INFO."""
    information = buffer(84, table)
    length = ctypes.c_uint32(84)
    call(libc.getsockopt, raw.fileno(), level, 64, information, ctypes.byref(length))


@feature("vsock, over its loopback")
def vsock():
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as server:
        server.bind((socket.VMADDR_CID_ANY, 4000))
        server.listen()
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as client:
            client.connect((1, 4000))


@feature("what the machines it runs on need")
def machines():
    with gzip.open("/proc/config.gz", "rt") as file:
        there = {line.split("=")[0] for line in file if "=" in line}
    wanted = ("KVM_GUEST PVH PARAVIRT VIRTIO_MMIO VIRTIO_PCI VIRTIO_CONSOLE VIRTIO_BLK HW_RANDOM_VIRTIO "
              "IA32_EMULATION FUTEX SWAP TRANSPARENT_HUGEPAGE BPF_JIT USER_NS CHECKPOINT_RESTORE").split()
    lacking = [name for name in wanted if f"CONFIG_{name}" not in there]
    if lacking:
        raise RuntimeError(f"no {' '.join(lacking)}")


def main():
    os.chdir(tempfile.gettempdir())
    for name, action in FEATURES.items():
        try:
            action()
            print("ok", name)
        except Exception as error:  # whatever went wrong is the answer
            print(f"missing {name}: {error}")
    print(len(FEATURES), "features")


if __name__ == "__main__":
    sys.exit(main())
