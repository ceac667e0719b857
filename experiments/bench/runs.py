"""Starting mae-bench and torch_mae.py with the same model, and recording what they say.

A record is one JSON line: who ran, what it reported, and everything needed to judge it later
(date, commit, processor, load). A contestant that fails is recorded with its error, so a
comparison goes on without it.
"""

import datetime
import json
import os
import pathlib
import shlex
import subprocess

import models

HERE = pathlib.Path(__file__).resolve().parent
OURS = "libmae"


class Contestant:
    """libmae, or one PyTorch: a label, an interpreter and options of torch_mae.py."""

    def __init__(self, label, command):
        self.label, self.command = label, command

    def argv(self, mode, name, cfg, precision, threads, steps):
        common = [f"--threads={threads}", f"--steps={steps}", *models.as_overrides(cfg)]
        if self.label == OURS:
            return [*self.command, mode, "--json", "--quiet",
                    f"train.precision={precision}", *common]
        return [self.command[0], str(HERE / "torch_mae.py"), *self.command[1:],
                f"--model={name}", f"--mode={mode}", f"--precision={precision}", *common]


def contestant(text):
    """From "LABEL=PYTHON [OPTION ...]", e.g. "compiled=/venv/bin/python --compile"."""
    label, _, command = text.partition("=")
    words = shlex.split(command)
    if not label or not words or label == OURS:
        raise SystemExit(f"--torch {text}: expected LABEL=PYTHON [OPTION ...]")
    return Contestant(label, words)


def add_arguments(parser):
    """What every script that measures takes."""
    build = HERE.parents[1] / "build" / "tools" / "mae-bench"
    parser.add_argument("--bench", default=str(build), metavar="FILE",
                        help="the mae-bench to run (default: build/tools/mae-bench)")
    parser.add_argument("--torch", action="append", default=[], type=contestant,
                        metavar="LABEL=PYTHON [OPTION ...]",
                        help="an interpreter that has PyTorch, with options of torch_mae.py; "
                             "may be repeated")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=5, help="of each run (default: 5)")
    parser.add_argument("--timeout", type=float, default=900.0,
                        help="seconds a run may take (default: 900)")
    parser.add_argument("--output", metavar="FILE.jsonl",
                        help="where records are added (default: results/NAME-DATE.jsonl)")


def output_path(args, name):
    """The file of records, made empty if it is the default one."""
    if args.output:
        return pathlib.Path(args.output)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}-{datetime.date.today()}.jsonl"


def commit():
    """Of this checkout, with "+" if files differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True,
                              text=True, check=False).stdout.strip()
    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--short", "-uno")
                                                     else "")


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        fields = [line.partition(":") for line in lines]
    names = {key.strip(): value.strip() for key, _, value in reversed(fields)}
    return ", ".join(names[key] for key in ("model name", "cpu family", "model", "stepping")
                     if key in names)


def run(who, mode, name, cfg, precision, args):
    """One run of one contestant as a record."""
    argv = who.argv(mode, name, cfg, precision, args.threads, args.steps)
    record = {"who": who.label, "mode": mode, "model": name, "precision": precision,
              "threads": args.threads, "config": cfg, "commit": commit(),
              "processor": processor(), "load": round(os.getloadavg()[0], 2),
              "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds")}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=args.timeout,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return {**record, "error": str(problem)}
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return {**record, "error": lines[-1] if lines else f"exit code {done.returncode}"}
    return {**record, "result": json.loads(done.stdout.strip().splitlines()[-1])}


def append(path, record):
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def load(paths):
    """All records of some files that have a result."""
    records = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            records += [json.loads(line) for line in file if line.strip()]
    return [record for record in records if "result" in record]
