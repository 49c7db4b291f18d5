#!/usr/bin/env python3
"""Checks that every test named in docs/security.md and docs/reliability.md is there.

    check.py SOURCE_TREE BUILD_TREE

In a table whose last column is called "shown by" or "test", each row must name something, and each
name in backticks in that column must be one of: a test, Suite.Name; tests, Suite.* (or several, with
Suite.Begin*); the name alone of a test of the suite named before it in the cell; a ctest; a fuzz target; an attack of
the hostile guest; a path in the tree. Elsewhere in the text what looks like Suite.Name must exist too.

The tests are those that the finished programs in BUILD_TREE/tests list, and the suites of wire tests
with a row for each case as one.
"""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path

DOCUMENTS = ["docs/security.md", "docs/reliability.md"]
NAME = re.compile(r"^[A-Z]\w*\.(\w+|\w*\*)$")


def listed_by(program):
    """The tests of a GoogleTest program, as Suite.Name."""
    shown = subprocess.run([program, "--gtest_list_tests"], check=True, text=True,
                           capture_output=True, timeout=60).stdout
    tests, suite = set(), ""
    for line in shown.splitlines():
        if line.startswith("  "):
            tests.add(suite + re.sub(r"/.*", "", line.split("#")[0].strip()))
        elif re.match(r"^\S+\.(\s|$)", line):
            suite = line.split("#")[0].strip().rpartition("/")[2]
    return tests


def tests_of(source, build):
    tests = set()
    for program in sorted((build / "tests").iterdir()):
        if program.is_file() and b"--gtest_list_tests" in program.read_bytes():
            tests |= listed_by(program)
    shown = subprocess.run(["ctest", "--test-dir", build, "-N"], check=True, text=True,
                           capture_output=True).stdout
    ctests = set(re.findall(r"^\s*Test\s+#\d+: (\S+)", shown, re.M))
    words = {path.name.removesuffix("_fuzz.cpp") for path in (source / "fuzz").glob("*_fuzz.cpp")}
    attacks = (source / "tests/vm/data/hostile.py").read_text()
    words |= set(re.findall(r"^def (\w+)", attacks, re.M))
    return tests | ctests, words


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


class Checker:
    def __init__(self, source, tests, words):
        self.source, self.tests, self.words, self.faults = source, tests, words, []

    def exists(self, name, suite):
        if NAME.match(name) or "." in name and "/" not in name and name in self.tests:
            return bool(fnmatch.filter(self.tests, name))
        return (name in self.tests or name in self.words or f"{suite}.{name}" in self.tests
                or (self.source / name).exists())

    def check_cell(self, where, cell):
        names, suite = re.findall(r"`([^`]+)`", cell), ""
        for name in names:
            if NAME.match(name):
                suite = name.partition(".")[0]
            elif any(test.startswith(name + ".") for test in self.tests):
                suite = name  # a suite alone, with what is meant of it behind
                continue
            if not self.exists(name, suite):
                self.faults.append(f"{where}: there is no test {name}")
        if not names:
            self.faults.append(f"{where}: names no test")

    def check(self, document):
        proving = False
        for number, line in enumerate((self.source / document).read_text().splitlines(), 1):
            where = f"{document}:{number}"
            if not line.startswith("|"):
                proving = False
                for name in re.findall(r"`([^`]+)`", line):
                    if NAME.match(name) and not self.exists(name, ""):
                        self.faults.append(f"{where}: there is no test {name}")
            elif cells(line)[-1] in ("shown by", "test"):
                proving = True
            elif proving and not re.match(r"^[|\s:-]+$", line) and any(cells(line)[1:]):
                self.check_cell(where, cells(line)[-1])


def main():
    source, build = Path(sys.argv[1]), Path(sys.argv[2])
    checker = Checker(source, *tests_of(source, build))
    for document in DOCUMENTS:
        checker.check(document)
    for fault in checker.faults:
        print(fault, file=sys.stderr)
    return 1 if checker.faults else 0


sys.exit(main())
