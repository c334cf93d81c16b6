"""Works as servers do, in functions that call others, some twenty deep, until SIGTERM. Prints a line for each piece of that work,
which is always the same: when it began (CLOCK_MONOTONIC, seconds) and the CPU seconds it took.

usage: work_of_python.py
"""
import json
import re
import signal
import time

source = "".join("def f%d(n):\n    return %s\n\n" % (k, "leaf(n)" if k == 0 else "f%d(n + 1)" % (k - 1)) for k in range(20))
word = re.compile(r"(\w+)=(\d+)")
is_told = False


def leaf(n):
    text = " ".join("key%d=%d" % (k, k * n) for k in range(40))
    found = {match[1]: int(match[2]) for match in word.finditer(text)}
    return len(json.dumps(json.loads(json.dumps(found, sort_keys=True))))


def stop(*_):
    global is_told
    is_told = True


exec(compile(source, __file__, "exec"))
signal.signal(signal.SIGTERM, stop)
pieces = []
while not is_told:
    began, before = time.monotonic(), time.process_time()
    for number in range(100):
        f19(number)
    pieces.append((began, time.process_time() - before))
for began, took in pieces:
    print(began, took)
