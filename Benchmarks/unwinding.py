"""What unwinding a user stack costs inside the sampler: by tables, beside the kernel's walk along frame pointers."""
from benchlib import *

STATISTICS = "/proc/sys/kernel/bpf_stats_enabled"
DEPTHS = (10, 50, 100)
# Samples in quick succession find their tables, their stack and their code in the caches; rare ones do not.
FREQUENCIES = (("warm, 4999 Hz", 4999, 3), ("cold, 97 Hz", 97, 6))


def build(at):
    source = os.path.join(HERE, "depth.c")
    frame = ["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer"]
    common = ["gcc", "-O2", "-fno-optimize-sibling-calls", source, "-o"]
    subprocess.run(common + [at("depth-fp")] + frame, check=True)
    subprocess.run(common + [at("depth"), "-fomit-frame-pointer"], check=True)
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "runtimes.c"), "-o", at("runtimes"), "-lbpf"], check=True)


def time_in_program(at, target, mode, frequency, seconds):
    """(runs, nanoseconds, samples recorded) of the sampler while it records process `target`."""
    trace = at("unwinding.seg")
    recording = Running([PYROREC, "record", "--quiet", "--images", "none", "--unwind", mode, "-F", str(frequency),
                         "-p", str(target), "-d", "%ds" % seconds, "-o", trace])
    time.sleep(seconds - 0.4)
    runs = total = 0
    for line in quietly([at("runtimes"), str(recording.pid)]).splitlines():
        name, count, nanoseconds = line.split()
        if name.startswith("on_sample"):
            runs, total = int(count), int(nanoseconds)
    recording.wait()
    return runs, total, inspect(trace)["samples.recorded"] * (seconds - 0.4) / seconds


def unwinding(table, at, rounds):
    build(at)
    with open(STATISTICS) as switch:
        before = switch.read()
    with open(STATISTICS, "w") as switch:
        switch.write("1")
    try:
        # The program also runs for everybody else, and leaves at once: what that costs is taken off.
        idle = Running(["sleep", "600"])
        runs, total, _ = time_in_program(at, idle.pid, "tables", 4999, 3)
        leaving = total / max(runs, 1)
        idle.signal(signal.SIGKILL)
        idle.wait(None)

        def once(program, mode, depth, frequency, seconds):
            def measure():
                load = Running(["taskset", "-c", "0", at(program), str(depth), str(seconds + 30)])
                time.sleep(0.2)
                runs, total, samples = time_in_program(at, load.pid, mode, frequency, seconds)
                load.signal(signal.SIGKILL)
                load.wait(None)
                return (total - max(runs - samples, 0) * leaving) / max(samples, 1)
            return measure

        for what, frequency, seconds in FREQUENCIES:
            for depth in DEPTHS:
                results = interleaved(
                    rounds, tables=once("depth", "tables", depth, frequency, seconds),
                    walk=once("depth-fp", "frame-pointers", depth, frequency, seconds))
                table.add("a sample %d frames deep, the whole program (%s)" % (depth, what), median(results["tables"]),
                          "bpf_get_stack, with frame pointers", median(results["walk"]), "ns",
                          0.8 if depth == 50 and frequency > 1000 else None, "%.0f")
    finally:
        with open(STATISTICS, "w") as switch:
            switch.write(before)
