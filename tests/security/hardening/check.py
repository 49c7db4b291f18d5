#!/usr/bin/env python3
"""Checks that programs carry the hardening that docs/security.md promises.

    check.py --commands compile_commands.json --sources PREFIX [--static | --library] [--beside] [--cfi] ELF...

Of each ELF file, read with readelf: position independent, all relocations done before main and
read-only from then on, no executable stack, no writable code, no search path of libraries, or
with --beside none but the directory that the file is in; with --cfi, its functions are called
through jump tables. What
leaves no sure trace in a file (a static one holds libc's own checks too) is read from the commands
that compiled every source below PREFIX.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

COMPILED_WITH = ["-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection=full",
                 "-D_FORTIFY_SOURCE=3", "-fPIE|-fPIC"]


def readelf(path, *options):
    return subprocess.run(["readelf", "--wide", *options, path], check=True, text=True,
                          capture_output=True).stdout


def segment_flags(headers, name):
    """The flags of each segment called `name`, like "RW"."""
    pattern = rf"^\s*{name}\s+(?:0x[0-9a-f]+\s+){{5}}([RWE ]{{3}})"
    return [flags.replace(" ", "") for flags in re.findall(pattern, headers, re.M)]


def search_paths(dynamic):
    return re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic)


def faults_of_file(path, options):
    kind, headers, dynamic = (readelf(path, o) for o in ("--file-header", "--program-headers", "--dynamic"))
    symbols = readelf(path, "--dyn-syms")
    loads, stack = segment_flags(headers, "LOAD"), segment_flags(headers, "GNU_STACK")
    checks = {
        "is not position independent":
            re.search(r"Type:\s+DYN", kind) and (options.library or "PIE" in dynamic),
        "has no read-only relocations": segment_flags(headers, "GNU_RELRO"),
        "binds symbols lazily": "NOW" in dynamic,
        "has an executable stack": stack and "E" not in stack[0],
        "has segments that are writable and executable":
            loads and not any("W" in flags and "E" in flags for flags in loads),
        "has relocations in its code": "TEXTREL" not in dynamic,
        "looks for libraries in a path of its own":
            search_paths(dynamic) == (["$ORIGIN"] if options.beside else []),
    }
    if options.cfi:
        checks["has no control-flow integrity"] = ".cfi_jt" in readelf(path, "--symbols")
    if options.static:
        checks["needs a program interpreter"] = "INTERP" not in headers
    else:
        checks["has no stack protector"] = "__stack_chk_fail" in symbols
        checks["has no fortified calls"] = re.search(r"__\w+_chk@", symbols)
    return [f"{path} {what}" for what, holds in checks.items() if not holds]


def source_of(entry):
    """The file that a command compiles; the first one, where it compiles several as one."""
    file = Path(entry["file"])
    if file.parent.name != "Unity":
        return file
    return Path(re.search(r'#include "([^"]+)"', file.read_text()).group(1))


def faults_of_commands(commands, prefix):
    root = Path(__file__).resolve().parents[3]
    seen, faults = 0, []
    for entry in json.loads(Path(commands).read_text()):
        if not source_of(entry).is_relative_to(root / prefix):
            continue
        seen += 1
        words = set(entry["command"].split())
        faults += [f"{entry['file']} was compiled without {wanted}" for wanted in COMPILED_WITH
                   if not words & set(wanted.split("|"))]
    return faults if seen else [f"no source below {prefix} was compiled"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", required=True)
    parser.add_argument("--sources", required=True)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--static", action="store_true")
    kind.add_argument("--library", action="store_true")
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--cfi", action="store_true")
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    faults = faults_of_commands(options.commands, options.sources)
    for program in options.programs:
        faults += faults_of_file(program, options)
    print("\n".join(faults) or f"{len(options.programs)} files are as they should be")
    return 1 if faults else 0


sys.exit(main())
