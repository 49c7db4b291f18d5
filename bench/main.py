"""python3 bench/main.py SUITE [--quick]; scripts/bench prepares what it needs."""

import importlib
import sys

import measure

SUITES = {"gateway": "gateway_suite", "start": "start_suite"}


def main():
    words = [w for w in sys.argv[1:] if w != "--quick"]
    if len(words) != 1 or words[0] not in SUITES:
        raise SystemExit(f"usage: scripts/bench [{'|'.join(SUITES)}] [--quick]")
    (measure.BUILD / "bench").mkdir(parents=True, exist_ok=True)
    importlib.import_module(SUITES[words[0]]).run("--quick" in sys.argv)


main()
