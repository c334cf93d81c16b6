"""A fixed amount of work, as servers do it: functions that call others, some twenty deep. Prints the CPU seconds it took.

usage: work_of_python.py ROUNDS
"""
import json
import re
import sys
import time

source = "".join("def f%d(n):\n    return %s\n\n" % (k, "leaf(n)" if k == 0 else "f%d(n + 1)" % (k - 1)) for k in range(20))
word = re.compile(r"(\w+)=(\d+)")


def leaf(n):
    text = " ".join("key%d=%d" % (k, k * n) for k in range(40))
    found = {match[1]: int(match[2]) for match in word.finditer(text)}
    return len(json.dumps(json.loads(json.dumps(found, sort_keys=True))))


exec(compile(source, __file__, "exec"))
before = time.process_time()
total = 0
for number in range(int(sys.argv[1])):
    total += f19(number)
print(time.process_time() - before)
