#!/usr/bin/env python3
"""Sum up a meson test log (meson-logs/testlog.json).

Prints what failed and the plain line "N passed, N failed". Each sub-test of a TAP program
counts; a program that crashed, ran out of time or failed without saying why counts as one
failure; a program without TAP counts as one test. Exit status 1 if any test failed or none
ran, else 0.
"""
import json
import re
import sys

SUBTEST = re.compile(r"^(not )?ok\b([^#\n]*)(?:# *(skip|todo))?", re.IGNORECASE | re.MULTILINE)
FINE = ("OK", "SKIP", "EXPECTEDFAIL")


def count(test):
    """Number of passed sub-tests and names of failed ones of one program."""
    passed, failed = 0, []
    for bad, name, directive in SUBTEST.findall(test.get("stdout") or ""):
        if directive:
            continue
        if bad:
            failed.append(name.strip(" -"))
        else:
            passed += 1
    if test["result"] not in FINE and not (test["result"] == "FAIL" and failed):
        failed.append("the program itself: " + test["result"])
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
            for name in bad:
                print(f"failed: {test['name']}: {name}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
