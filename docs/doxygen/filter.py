#!/usr/bin/env python3
"""Doxygen's view of a public header: the headers' comments are plain, and this marks those
that document something, which is every comment of theirs. The first block is the file's;
one at the end of a line is of what stands before it, and so are the lines that go on
below it."""

import re
import sys

TRAILING = re.compile(r"^(?P<code>[^/]*[;,{}\w])(?P<gap>\s+)// (?P<text>.*)$")
SPECIAL = {"~": "&tilde;", "<": "&lt;", ">": "&gt;", "@": "\\@", "\\": "\\\\", "#": "\\#", "%": "\\%"}


def escaped(text):
    """`text` as Doxygen prints it unchanged; what looks like a C++ name stays one."""
    text = "".join(SPECIAL.get(each, each) for each in text)
    return text.replace("::", "\\::") if text.startswith("::") else text


# What the language says of itself, so that it needs no comment.
OBVIOUS = re.compile(
    r"^\s*(~?(?P<name>\w+)\(\)( override)?( noexcept)?;"            # a destructor
    r"|(?P<c>\w+)\((const )?(?P=c)\s?&&?( other)?\).*"              # copying and moving
    r"|(?P<d>\w+)& operator=\((const )?(?P=d)\s?&&?( other)?\).*"
    r"|explicit \w+\(std::unique_ptr<Impl> impl\);"                # made by the library alone
    r"|bool operator==\(.*\) const = default;)$")


def main():
    lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
    in_head, hidden = True, False
    for line in lines:
        stripped = line.strip()
        if in_head and stripped.startswith("//"):
            first = line is lines[0]
            print(("/// @file\n/// " if first else "/// ") + escaped(stripped[2:].strip()))
            continue
        in_head = False
        if stripped in ("private:", "protected:"):
            hidden = True
        if hidden and line.startswith("};"):
            hidden = False
        trailing = TRAILING.match(line)
        if stripped.startswith("//"):
            indent = line[: len(line) - len(line.lstrip())]
            print(f"{indent}/// {escaped(stripped[2:].strip())}")
        elif trailing and not trailing["text"].startswith("namespace"):
            print(f"{trailing['code']}{trailing['gap']}///< {escaped(trailing['text'])}")
        elif OBVIOUS.match(line):
            print(f"/// @cond\n{line}\n/// @endcond")
        else:
            print(line)


main()
