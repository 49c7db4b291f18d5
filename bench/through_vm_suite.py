"""Suite `through-vm`: servers in a guest, reached by our gateway and by QEMU's user network.

Both lead into the very same guest at the same time, so nothing differs but the way: ours is
HTTP through the gateway and the mux; slirp is a forwarded TCP port to a network card that the
guest was given for this. Every round of a case runs both, one after the other. Of many
connections at once slirp forgets some; a run ends two seconds after the last sign of life.
"""

from gateway_suite import MIB, figures_of
from guest_vm import Card, GuestVm
from measure import ALL_CORES, BUILD, measured_load
from report import Report

BACKEND, PYTHON = 8001, 8002  # in the guest
BIG = 64 * MIB
TABLE = f"/ :{BACKEND}\n/python :{PYTHON}\n"
PATHS = {BACKEND: "", PYTHON: "/python"}  # in front of a path, for our gateway

# name, unit of the rate, bytes that count for it (0: requests do), port, path, bench-load's words
CASES = [
    ("tiny GET, 1 connection", "req/s", 0, BACKEND, "/", ["connections=1"]),
    ("tiny GET, 32 connections", "req/s", 0, BACKEND, "/", ["connections=32"]),
    ("a connection for each request, 1 at once", "req/s", 0, BACKEND, "/", ["connections=1", "reuse=no"]),
    ("a connection for each request, 32 at once", "req/s", 0, BACKEND, "/", ["connections=32", "reuse=no"]),
    ("tiny GET from python, 1 connection", "req/s", 0, PYTHON, "/tiny", ["connections=1"]),
    ("tiny GET from python, 32 connections", "req/s", 0, PYTHON, "/tiny", ["connections=32"]),
    ("round trip, 64 bytes in a tunnel", "msg/s", 0, BACKEND, "/", ["websocket", "connections=1"]),
]
BULK = [
    ("64 MiB, guest to host", BIG, [f"path=/bytes/{BIG}"]),
    ("64 MiB, host to guest", BIG, [f"upload={BIG}", "path=/"]),
]


def compare(report, case, unit, rounds, ways):
    """`ways` maps names to what runs once and returns its figures."""
    names = list(ways)
    results = {name: [] for name in names}
    for turn in range(rounds):
        for name in names[turn % 2:] + names[:turn % 2]:
            results[name].append(ways[name]())
    report.case(case, unit, results)


def start_guest(card):
    vm = GuestVm({"bench-backend": BUILD / "bench" / "bench-backend"}, card)
    vm.call("start", "./bench-backend", f"0.0.0.0:{BACKEND}")
    vm.call("ask", "sh", "-c", "mkdir web && echo hello > web/tiny")
    vm.call("start", "python3", "-m", "http.server", str(PYTHON), "--directory", "web")
    for port in (BACKEND, PYTHON):
        vm.call("ask", "curl", "-sf", "--retry", "100", "--retry-connrefused", "--retry-delay", "0",
                "-o", "/dev/null", f"http://127.0.0.1:{port}/tiny")
    vm.route(TABLE)
    return vm


def run(quick):
    rounds, milliseconds = (3, 300) if quick else (11, 300)
    report = Report("through-vm", ["ours", "slirp"], quick)
    card = Card([BACKEND, PYTHON])
    vm = start_guest(card)

    def way(outer, unit_bytes, words):
        return lambda: figures_of(measured_load(vm, outer, *words, core=ALL_CORES), unit_bytes)

    try:
        for case, unit, unit_bytes, port, path, words in CASES:
            words = [*words, f"ms={milliseconds}", "stall-ms=2000"]
            compare(report, case, unit, rounds, {
                "ours": way(vm.gateway, unit_bytes, [*words, f"path={PATHS[port]}{path}"]),
                "slirp": way(card.ports[port], unit_bytes, [*words, f"path={path}"])})
        for case, unit_bytes, words in BULK:
            words = [*words, "requests=1"]
            compare(report, case, "MiB/s", rounds, {
                "ours": way(vm.gateway, unit_bytes, words),
                "slirp": way(card.ports[BACKEND], unit_bytes, words)})
    finally:
        vm.stop()
    report.finish()
