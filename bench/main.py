"""python3 bench/main.py SUITE [--quick] [--realtime]; scripts/bench prepares what it needs."""

import importlib
import sys

import measure

SUITES = {"gateway": "gateway_suite", "through-vm": "through_vm_suite", "fs": "fs_suite",
          "start": "start_suite"}


def main():
    words = [w for w in sys.argv[1:] if w not in ("--quick", "--realtime")]
    if len(words) != 1 or words[0] not in SUITES:
        raise SystemExit(f"usage: scripts/bench [{'|'.join(SUITES)}] [--quick] [--realtime]")
    (measure.BUILD / "bench").mkdir(parents=True, exist_ok=True)
    importlib.import_module(SUITES[words[0]]).run("--quick" in sys.argv)


main()
