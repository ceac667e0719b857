#!/usr/bin/env python3
"""Sum up a meson test log (meson-logs/testlog.json).

Prints what failed, "failed: PROGRAM: SUB-TEST" and under it the first lines of what that
said, indented, and the plain line "N passed, N failed". Each sub-test of a TAP program
counts; a program that crashed, ran out of time or failed without saying why counts as one
failure; a program without TAP counts as one test. Exit status 1 if any test failed or none
ran, else 0.
"""
import json
import re
import sys

SUBTEST = re.compile(r"(not )?ok\b([^#]*)(?:# *(skip|todo))?", re.IGNORECASE)
FINE = ("OK", "SKIP", "EXPECTEDFAIL")
MOST = 6  # lines shown of a failure


def count(test):
    """Number of passed sub-tests of one program; names of failed ones and what they said."""
    passed, failed, said = 0, [], []
    for line in (test.get("stdout") or "").splitlines():
        found = SUBTEST.match(line)
        if not found:
            said.append(line)
            continue
        bad, name, directive = found.groups()
        said = []  # of this one from here on
        if bad and not directive:
            failed.append((name.strip(" -"), said))
        elif not directive:
            passed += 1
    if test["result"] not in FINE and not (test["result"] == "FAIL" and failed):
        said = said[-2:] + (test.get("stderr") or "").split("\n")
        failed.append(("the program itself: " + test["result"], said))
    if test["result"] == "OK" and not passed and not failed:
        passed = 1
    return passed, failed


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        for line in log:
            test = json.loads(line)
            good, bad = count(test)
            passed += good
            failed += len(bad)
            for name, said in bad:
                print(f"failed: {test['name']}: {name}")
                for text in [text for text in said if text.strip() and text[:3] != "1.."][:MOST]:
                    print("    " + text[:200])
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
