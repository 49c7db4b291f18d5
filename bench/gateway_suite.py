"""Suite `gateway`: ours, nginx, haproxy and the original's, in front of one backend.

Every round of a case runs all gateways, one after the other, so that whatever else the
machine does hits all of them alike.
"""

import gateways
from measure import Backend, load, measured_load
from report import Report

MIB = 1 << 20
BIG = 100 * MIB

# name, unit of the rate, bytes that count for it (0: requests do), routes, bench-load's words
TIMED = [(f"tiny GET, {n} connections", "req/s", 0, 1, [f"connections={n}"]) for n in (1, 16, 64, 256)] + [
    ("tiny GET, 1,000 routes", "req/s", 0, 1000, ["connections=16", "path=/route-777/x"]),
    ("1 MiB down", "MiB/s", MIB, 1, ["connections=4", f"path=/bytes/{MIB}"]),
    ("1 MiB down, chunked", "MiB/s", MIB, 1, ["connections=4", f"path=/chunked/{MIB}"]),
    ("WebSocket messages, 16 connections", "msg/s", 0, 1, ["websocket", "connections=16"]),
]
COUNTED = [
    ("100 MiB down", BIG, [f"path=/bytes/{BIG}"]),
    ("100 MiB down, chunked", BIG, [f"path=/chunked/{BIG}"]),
    ("100 MiB up", BIG, [f"upload={BIG}"]),
]
STREAM = ("WebSocket bulk, echoed", ["stream", f"message={256 * 1024}"])


def figures_of(run, unit_bytes):
    amount = run["requests"] if unit_bytes == 0 else run["requests"] * unit_bytes / MIB
    return {"rate": amount / run["seconds"], "cpu_us": run["cpu_seconds"] * 1e6 / amount if amount else 0,
            "p50_us": run["p50_us"], "p99_us": run["p99_us"]}


def compare(report, case, unit, names, backend, routes, rounds, one_run):
    running, results = {}, {name: [] for name in names}
    try:
        for name in names:
            running[name] = gateways.start(name, backend.port, routes)
            load(running[name][0], "requests=20")  # a first round for nobody's account
        for turn in range(rounds):
            order = names[turn % len(names):] + names[:turn % len(names)]
            for name in order:
                results[name].append(one_run(*running[name]))
    finally:
        for _, process in running.values():
            process.stop()
    report.case(case, unit, results)


def stream_figures(process, port, milliseconds):
    run = measured_load(process, port, *STREAM[1], f"ms={milliseconds}")
    mib = run["bytes"] / MIB
    return {"rate": mib / run["seconds"], "cpu_us": run["cpu_seconds"] * 1e6 / mib, "p50_us": 0, "p99_us": 0}


def memory(report, names, backend, slow_bytes):
    rows = {}
    for name in names:
        row = {}
        port, process = gateways.start(name, backend.port)
        load(port, "requests=1")
        row["idle"] = process.memory_mib("VmRSS")
        load(port, "connections=256", "ms=1000")
        row["256 connections"] = process.memory_mib("VmHWM")
        process.stop()
        for label, words in ((f"{slow_bytes // MIB} MiB down, slow reader", ["pause-us=1000", f"path=/bytes/{slow_bytes}"]),
                             (f"{slow_bytes // MIB} MiB up, slow reader", [f"upload={slow_bytes}", "path=/slow"])):
            port, process = gateways.start(name, backend.port)
            load(port, "requests=1")
            load(port, "requests=1", *words)
            row[label] = process.memory_mib("VmHWM")
            process.stop()
        rows[name] = row
    report.memory(rows)


def run(quick):
    names = list(gateways.ALL)
    rounds, milliseconds, repeats = (3, 200, 1) if quick else (15, 400, 2)
    report = Report("gateway", names, quick)
    backend = Backend()
    try:
        for case, unit, unit_bytes, routes, words in TIMED:
            compare(report, case, unit, names, backend, routes, rounds,
                    lambda port, process, w=words, u=unit_bytes: figures_of(
                        measured_load(process, port, *w, f"ms={milliseconds}"), u))
        for case, unit_bytes, words in COUNTED:
            compare(report, case, "MiB/s", names, backend, 1, rounds,
                    lambda port, process, w=words, u=unit_bytes: figures_of(
                        measured_load(process, port, *w, f"requests={repeats}"), u))
        compare(report, STREAM[0], "MiB/s", names, backend, 1, rounds,
                lambda port, process: stream_figures(process, port, milliseconds))
        memory(report, names, backend, (128 if quick else 1024) * MIB)
    finally:
        backend.stop()
    report.finish()
