"""What a Python frame costs inside the sampler (stacks of 60 frames less stacks of 10), and what recording costs a program."""
import glob
from benchlib import *
import unwinding

# PYTHONS: paths with spaces between them. Without it pyenv's, or the one on the PATH.
PYTHONS = (os.environ.get("PYTHONS", "").split()
           or sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3")), key=lambda path: (len(path), path))
           or [path for path in (shutil.which("python3"),) if path])
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


# Of one time that the program is recorded, and of one that it is not: seconds.
PHASE = 2


def slowdown(table, at, rounds):
    """CPU time of the same work of one process while it is recorded and while it is not, turn by turn: a machine that becomes
    faster or slower meanwhile does so for both."""
    for interpreter in PYTHONS[-1:]:
        load = Running(["taskset", "-c", "0", interpreter, os.path.join(HERE, "work_of_python.py")], out=at("work.out"))
        time.sleep(2)
        phases = []

        def phase(hertz):
            recorder = hertz and Running(["taskset", "-c", "1", PYROREC, "record", "--quiet", "--images", "none", "-p", str(load.pid), "-F",
                                          str(hertz), "-o", at("slow.seg")])
            # Without its start, which is loaded into a CPU that the program does not run on.
            time.sleep(0.3)
            began = time.monotonic()
            time.sleep(PHASE)
            phases.append((hertz, began, time.monotonic()))
            if recorder:
                recorder.signal(signal.SIGTERM)
                recorder.wait(None)

        for _ in range(6 * rounds):
            for hertz in (0, 97, 0, 999):
                phase(hertz)
        phase(0)
        load.signal(signal.SIGTERM)
        load.wait()
        with open(at("work.out")) as text:
            pieces = [tuple(map(float, line.split())) for line in text]
        took = [median([cpu for began, cpu in pieces if since <= began and began + 2 * cpu <= until]) for _, since, until in phases]
        # Each beside the mean of the two times without recorder around it; those beside each other say what the noise is.
        for hertz, goal in ((97, 1.01), (999, 1.03)):
            ratios = [2 * took[k] / (took[k - 1] + took[k + 1]) for k in range(1, len(phases) - 1) if phases[k][0] == hertz]
            add_ratio(table, "CPU time of a Python program that is recorded at %d Hz (%d turns)" % (hertz, len(ratios)), ratios, goal)
        bare = [cpu for (hertz, _, _), cpu in zip(phases, took) if hertz == 0]
        add_ratio(table, "  the same that is not recorded", [2 * b / (a + c) for a, b, c in zip(bare, bare[1:], bare[2:])], None)


def add_ratio(table, what, ratios, goal):
    ordered = sorted(ratios)
    low, high = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
    table.add("%s, middle half %.4f to %.4f" % (what, low, high), median(ratios), "not recorded", 1.0, "", goal, "%.4f")


def python(table, at, rounds):
    if not PYTHONS:
        raise Skipped("python3 is not installed")
    frames(table, at, rounds)
    slowdown(table, at, rounds)
    server(table, at, rounds)


def frames(table, at, rounds):
    unwinding.build(at)
    script = os.path.join(HERE, "depth_of_python.py")
    for interpreter in PYTHONS:
        version = quietly([interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()

        def once(command):
            def measure():
                running = unwinding.Recorded(at, unwinding.FAVOURED + command)
                found = unwinding.sampled(at, running.recorder.pid, running.load.pid, 4999, 5)
                running.end()
                return found["ns"]
            return measure

        variants = {}
        for depth in (SHALLOW, DEEP):
            variants["one%d" % depth] = once([interpreter, script, "one", str(depth), "60"])
            variants["many%d" % depth] = once([interpreter, script, "many", str(depth), "60"])
            variants["native%d" % depth] = once([at("depth"), str(depth), "60"])
        results = interleaved(rounds, **variants)
        took = {kind: [(deep - shallow) / (DEEP - SHALLOW) for deep, shallow in
                       zip(results["%s%d" % (kind, DEEP)], results["%s%d" % (kind, SHALLOW)])]
                for kind in ("one", "many", "native")}
        # Code that was the same for a second is looked at less often: that is the state of most programs most of the time.
        # What is aimed at is for versions whose frames lie side by side.
        goal = 80 if version not in ("3.6", "3.7", "3.8", "3.9", "3.10") else None
        for kind, what in (("one", "of one function"), ("many", "of different functions")):
            table.add("a Python %s frame %s, warm" % (version, what), median(took[kind]), "", None, "ns", goal, "%.0f")
        table.add("a native frame by tables, in the same rounds", median(took["native"]), "", None, "ns", None, "%.0f")
