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


def slowdown(table, at, rounds):
    """CPU time of a program that is recorded, beside the same when it is not."""
    for interpreter in PYTHONS[-1:]:
        def once(hertz):
            def measure():
                load = Running(["taskset", "-c", "0", interpreter, os.path.join(HERE, "work_of_python.py"), "90000"], out=at("work.out"))
                recorder = hertz and Running([PYROREC, "record", "--quiet", "--images", "none", "-p", str(load.pid), "-F", str(hertz),
                                              "-o", at("slow.seg")])
                took = float(load.wait().out)
                if recorder:
                    recorder.signal(signal.SIGTERM)
                    recorder.wait(None)
                return took
            return measure

        # Twice without, so that the difference of the two says how much the machine's own noise is.
        results = interleaved(3 * rounds, bare=once(0), again=once(0), slow=once(97), fast=once(999))
        bare = median(results["bare"] + results["again"])
        for name, what, goal in (("again", "not at all, once more", None), ("slow", "at 97 Hz", 1.01), ("fast", "at 999 Hz", 1.03)):
            table.add("CPU time of a Python program that is recorded " + what, median(results[name]), "not recorded", bare, "s", goal)


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
