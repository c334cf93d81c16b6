"""How programs are run and measured here. Standard library only."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.environ.get("WORK", "/var/tmp/pyrorec-bench")
PYROREC = os.environ.get("PYROREC", os.path.join(HERE, "../dist/pyrorec"))
DEVNULL = subprocess.DEVNULL


class Skipped(Exception):
    """A part that cannot be measured here, with the reason."""


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skipped(tool + " is not installed")


class Ended:
    """A program that ran: wall, cpu (user and system) in seconds, rss in MiB at its highest."""

    def __init__(self, status, wall, usage, out):
        self.status, self.wall, self.out = status, wall, out
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss = usage.ru_maxrss / 1024


class Running:
    def __init__(self, argv, out=None, env=None):
        # stderr goes to a file: a program that fails is shown with what it said.
        self.errors = os.path.join(WORK, "stderr.%d" % time.monotonic_ns())
        self.path = out
        self.argv = argv
        self.started = time.monotonic()
        with open(self.errors, "wb") as errors, open(out or os.devnull, "wb") as output:
            self.process = subprocess.Popen(
                argv, stdin=DEVNULL, stdout=output, stderr=errors, start_new_session=True,
                env=dict(os.environ, **(env or {})))
        self.pid = self.process.pid

    def rss(self):
        """MiB now."""
        with open("/proc/%d/status" % self.pid) as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return None

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, status=(0,)):
        _, raw, usage = os.wait4(self.pid, 0)
        wall = time.monotonic() - self.started
        code = os.waitstatus_to_exitcode(raw)
        self.process.returncode = code
        with open(self.errors, errors="replace") as errors:
            said = errors.read()
        os.unlink(self.errors)
        if status is not None and code not in status:
            raise SystemExit("%s ended with %s:\n%s" % (" ".join(self.argv), code, said[-2000:]))
        text = ""
        if self.path:
            with open(self.path, errors="replace") as output:
                text = output.read(1 << 20)
        ended = Ended(code, wall, usage, text)
        ended.said = said
        return ended


def run(argv, out=None, status=(0,), env=None):
    return Running(argv, out, env).wait(status)


def quietly(argv, **more):
    """Its standard output; for questions, not for measuring."""
    return subprocess.run(argv, capture_output=True, text=True, errors="replace", **more).stdout


def median(values):
    return statistics.median(values)


def interleaved(rounds, **configurations):
    """Calls every configuration once a round, the order turned by one each time; name → list of results."""
    names = list(configurations)
    results = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            results[name].append(configurations[name]())
    return results


def inspect(trace):
    """`inspect --format json` as one flat table of dotted names."""
    flat = {}

    def walk(value, name):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, name + "." + key if name else key)
        else:
            flat[name] = value

    walk(json.loads(quietly([PYROREC, "inspect", trace, "--format", "json"])), "")
    return flat


def perf_stats(data):
    """(samples, lost samples) of a perf.data file."""
    text = quietly(["perf", "report", "-i", data, "--stats", "--stdio"])
    counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and words[1] == "events:":
            counts.setdefault(words[0], int(words[2]))
    lost = 0
    if counts.get("LOST") or counts.get("LOST_SAMPLES"):
        shown = quietly(["perf", "script", "-i", data, "--show-lost-events", "--no-inline", "-F", "ip"])
        for line in shown.splitlines():
            if "PERF_RECORD_LOST" in line:
                lost += int(line.split()[-1])
    return counts.get("SAMPLE", 0), lost


class Table:
    """Rows of the closing table. A goal is the largest ratio, or the largest value where there is no peer."""

    def __init__(self):
        self.rows = []
        self.notes = []

    def add(self, what, ours, peer_name, peer, unit, goal=None, form="%.3g"):
        ratio = ours / peer if peer else None
        judged = ratio if peer_name else ours
        self.rows.append([
            what, form % ours, (form % peer) if peer_name else "", unit, peer_name or "",
            "%.3f" % ratio if ratio is not None and peer_name else "",
            "" if goal is None else "<= %g" % goal,
            "" if goal is None or judged is None else ("yes" if judged <= goal else "NO")])
        print("   " + "  ".join(self.rows[-1]), flush=True)

    def skip(self, part, reason):
        self.notes.append("%s: left out, %s" % (part, reason))
        print("   " + self.notes[-1], flush=True)

    def show(self):
        rows = [["what", "pyrorec", "peer", "unit", "the peer", "ratio", "goal", "met"]] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        print()
        for number, row in enumerate(rows):
            print("  ".join(cell.rjust(width) if i in (1, 2, 5) else cell.ljust(width)
                            for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
            if number == 0:
                print("  ".join("-" * width for width in widths))
        for note in self.notes:
            print(note)
