"""A program whose samples are DEPTH Python functions deep: one function again and again, or as many different ones.

usage: depth_of_python.py one|many DEPTH SECONDS
"""
import sys
import time

kind, depth, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds


def leaf():
    while time.monotonic() < end:
        for _ in range(1000000):
            pass


def down(n):
    return leaf() if n == 0 else down(n - 1)


if kind == "one":
    down(depth - 2)
else:
    source = "".join("def f%d():\n    return %s()\n\n" % (n, "leaf" if n == 0 else "f%d" % (n - 1)) for n in range(depth - 2))
    exec(compile(source, __file__, "exec"))
    globals()["f%d" % (depth - 3)]()
