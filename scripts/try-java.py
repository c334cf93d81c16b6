#!/usr/bin/env python3
"""For scripts/try-java: whether a recording of fixtures/jfr/Mix.java shows what that program does.

usage: try-java.py PYROREC FILE.jfr SECONDS      the whole
       try-java.py PYROREC FILE.jfr virtual      of virtual threads alone
"""
import collections
import json
import re
import struct
import subprocess
import sys

pyrorec, path = sys.argv[1:3]
failed = False


def row(what, figure, good, goal):
    global failed
    failed = failed or not good
    print("%-34s %-44s %-22s %s" % (what, figure, goal, "PASS" if good else "FAIL"))


def run(*arguments):
    return subprocess.run([pyrorec, *arguments, path], stdout=subprocess.PIPE, check=True).stdout.decode()


def collapsed(metric, *more):
    """Weights by stack."""
    stacks = collections.Counter()
    for line in run("convert", "--quiet", "-f", "collapsed", "--metric", metric, *more).splitlines():
        stack, count = line.rsplit(" ", 1)
        stacks[stack] += int(count)
    return stacks


def shares(stacks, *names):
    """Of those methods among each other, in percent."""
    found = [sum(n for stack, n in stacks.items() if "Mix.%s;" % name in stack + ";") for name in names]
    total = sum(found) or 1
    return [100 * n / total for n in found]


def near(found, wanted, points=5):
    return all(abs(a - b) <= points for a, b in zip(found, wanted))


def proportion(what, metric, names, *more):
    found = shares(collapsed(metric, *more), *names)
    row(what, " : ".join("%.1f" % share for share in found), near(found, [60, 30, 10]), "60:30:10 +- 5")


if sys.argv[3] == "virtual":
    named = sum(n for stack, n in collapsed("cpu", "--thread-labels", "name").items() if "virtual-1" in stack)
    row("samples of a virtual thread by its name", str(named), named > 0, "> 0")
    sys.exit(1 if failed else 0)

seconds = int(sys.argv[3])
inspected = json.loads(run("inspect", "--quiet", "--format", "json"))
profiles = {profile["name"]: profile for profile in inspected["profiles"]}
cpu = collapsed("cpu")
proportion("CPU of six, three, one", "cpu", ["six", "three", "one"])
names = [stack for stack in cpu if "gr\u00fcn" in stack]
row("names that are not ASCII", "%d stacks" % len(names), len(names) > 0, "> 0")
for metric in ("alloc_sample", "alloc_in_new_tlab"):
    if metric in profiles:
        # Every object is of 60 kB: counts are as bytes.
        found = shares(collapsed(metric), "big", "medium", "small")
        row("allocations by %s" % metric, " : ".join("%.1f" % share for share in found), near(found, [60, 30, 10]), "60:30:10 +- 5")


def mean(metric, name):
    totals = profiles[metric]["totals"]
    return totals["delay_nanoseconds"] / max(totals["contentions_count"], 1) / 1e6


if "mutex" in profiles:
    value = mean("mutex", "enter")
    row("mean wait for a lock held 40 ms", "%.1f ms" % value, 10 <= value <= 60, "10 to 60 ms (uniform)")
if "block" in profiles:
    value = mean("block", "park")
    row("mean parking of 30 ms", "%.1f ms" % value, 28 <= value <= 45, "30 ms, load on top")
# Chunks by their headers (68 bytes, big-endian): each begins when the one before it ended.
data = open(path, "rb").read()
place, headers = 0, []
while place + 68 <= len(data):
    magic, size, start, duration, ticks, frequency = struct.unpack_from(">4s4xq16xqqqq", data, place)
    assert magic == b"FLR\0", place
    headers.append((start, duration, ticks, frequency))
    place += size
gaps = [(b[0] - a[0] - a[1]) / 1e6 for a, b in zip(headers, headers[1:])]
row("chunks", "%d" % len(headers), len(headers) >= 10, ">= 10")
worst = max(map(abs, gaps), default=1e9)
row("largest gap between two chunks", "%.2f ms" % worst, worst < 50, "< 50 ms")
covered = (headers[-1][0] + headers[-1][1] - headers[0][0]) / 1e9
row("covered", "%.1f of %d s" % (covered, seconds), covered > seconds - 5, "> %d s" % (seconds - 5))

# Events: a busy thread's samples, across every border no rarer than elsewhere.
event = "jdk.CPUTimeSample" if inspected["events"].get("jdk.CPUTimeSample") else "jdk.ExecutionSample"
printed = subprocess.run(["jfr", "print", "--events", event, "--stack-depth", "1", path], stdout=subprocess.PIPE, check=False).stdout.decode()
times = sorted(sum(float(x) * y for x, y in zip(match, (3600, 60, 1))) for match in re.findall(r"startTime = (\d+):(\d+):([\d.]+)", printed))
if len(times) > 100:
    steps = sorted(b - a for a, b in zip(times, times[1:]))
    row("events, longest silence", "%d, %.0f ms (median step %.1f ms)" % (len(times), steps[-1] * 1000, steps[len(steps) // 2] * 1000), steps[-1] < 0.5, "< 500 ms")
else:
    row("events", str(len(times)), False, "> 100")
sys.exit(1 if failed else 0)
