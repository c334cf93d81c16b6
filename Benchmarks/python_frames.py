"""What a Python frame costs inside the sampler: stacks of 60 frames less stacks of 10, beside native frames by tables."""
from benchlib import *
import unwinding

PYTHONS = [path for path in (shutil.which("python3"),) if path]
SHALLOW, DEEP = 10, 60


def python(table, at, rounds):
    unwinding.build(at)
    with open(unwinding.STATISTICS) as switch:
        before = switch.read()
    with open(unwinding.STATISTICS, "w") as switch:
        switch.write("1")
    try:
        idle = Running(["sleep", "600"])
        runs, total, _ = unwinding.time_in_program(at, idle.pid, "tables", 4999, 3)
        leaving = total / max(runs, 1)
        idle.signal(signal.SIGKILL)
        idle.wait(None)

        def once(command):
            def measure():
                load = Running(["taskset", "-c", "0"] + command)
                time.sleep(0.5)
                runs, total, samples = unwinding.time_in_program(at, load.pid, "tables", 4999, 3)
                load.signal(signal.SIGKILL)
                load.wait(None)
                return (total - max(runs - samples, 0) * leaving) / max(samples, 1)
            return measure

        script = os.path.join(HERE, "depth_of_python.py")
        for interpreter in PYTHONS:
            version = quietly([interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
            variants = {}
            for depth in (SHALLOW, DEEP):
                variants["one%d" % depth] = once([interpreter, script, "one", str(depth), "60"])
                variants["many%d" % depth] = once([interpreter, script, "many", str(depth), "60"])
                variants["native%d" % depth] = once([at("depth"), str(depth), "60"])
            results = interleaved(rounds, **variants)
            frame = {kind: (median(results["%s%d" % (kind, DEEP)]) - median(results["%s%d" % (kind, SHALLOW)])) / (DEEP - SHALLOW)
                     for kind in ("one", "many", "native")}
            for kind, what in (("one", "of one function"), ("many", "of different functions")):
                table.add("a Python %s frame %s, warm" % (version, what), frame[kind], "a native frame by tables",
                          frame["native"], "ns", None, "%.0f")
    finally:
        with open(unwinding.STATISTICS, "w") as switch:
            switch.write(before)
