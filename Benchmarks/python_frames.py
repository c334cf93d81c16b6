"""What a Python frame costs inside the sampler: stacks of 60 frames less stacks of 10, beside native frames by tables."""
from benchlib import *
import unwinding

PYTHONS = [path for path in (shutil.which("python3"),) if path]
SHALLOW, DEEP = 10, 60


def server(table, at, rounds):
    """CPU of recording a server with 100 threads for ten seconds."""
    need("py-spy")

    def once(command):
        def measure():
            load = Running([PYTHONS[0], os.path.join(HERE, "server_of_python.py"), "60"])
            time.sleep(1)
            cpu = run([word.replace("PID", str(load.pid)) for word in command]).cpu
            load.signal(signal.SIGKILL)
            load.wait(None)
            return cpu
        return measure

    results = interleaved(
        rounds,
        ours=once([PYROREC, "record", "--quiet", "-p", "PID", "-F", "97", "-d", "10s", "-o", at("server.seg")]),
        spy=once(["py-spy", "record", "-p", "PID", "-r", "97", "-d", "10", "-f", "raw", "-o", at("server.txt")]))
    table.add("recording a Python server of 100 threads, 10 s at 97 Hz", median(results["ours"]), "py-spy record",
              median(results["spy"]), "s CPU", 1, "%.2f")


def python(table, at, rounds):
    if not PYTHONS:
        raise Skipped("python3 is not installed")
    frames(table, at, rounds)
    server(table, at, rounds)


def frames(table, at, rounds):
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
