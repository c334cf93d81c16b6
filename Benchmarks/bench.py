#!/usr/bin/env python3
"""The benchmarks: see README.md. Every function is a part and adds its rows to the table."""
import argparse
import glob
import re
import signal
from benchlib import *
from everyday import everyday
from java import jfr
from python_frames import python
from symbolizing import dwarf, names
from unwinding import compiler, compiling, unwinding

parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=int, default=60)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--long", action="store_true")
parser.add_argument("parts", nargs="*")
options = parser.parse_args()
table = Table()


def at(name):
    return os.path.join(WORK, name)


SPIN, EMPTY, STAMP = at("spin"), at("empty"), at("stamp")
# The peers walk frame pointers; beside them pyrorec does too. What tables cost is in the rows that name them.
WALK = ["--unwind", "frame-pointers"]
PERF = ["perf", "record", "-q", "-N", "--no-bpf-event", "-e", "cpu-clock"]


def build():
    with open(at("spin.c"), "w") as source:
        subprocess.run([sys.executable, os.path.join(HERE, "workload.py")], stdout=source, check=True)
    keep = ["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-fno-optimize-sibling-calls"]
    subprocess.run(["gcc", "-O2", "-g", *keep, "-pthread", at("spin.c"), "-o", SPIN], check=True)
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "stamp.c"), "-o", STAMP], check=True)


def swift_tool(name):
    return os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), name)


def remove(*paths):
    for path in paths:
        for name in (path, path + ".old", path + ".part"):
            if os.path.exists(name):
                os.unlink(name)


# -- interrupt ---------------------------------------------------------------------------------------

def interrupt():
    """bpftrace times the timer's callback, whatever hangs on it, between two tracepoints. The probe costs
    every row the same; the empty program's row is subtracted."""
    need("perf", "bpftrace")
    subprocess.run([swift_tool("clang"), "-target", "bpf", "-O2", "-g", "-I/usr/include/%s-linux-gnu" % os.uname().machine,
                    "-c", os.path.join(HERE, "empty.bpf.c"), "-o", at("empty.bpf.o")], check=True)
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "empty.c"), "-o", EMPTY, "-lbpf"], check=True)
    callback = None
    with open("/proc/kallsyms") as symbols:
        for line in symbols:
            words = line.split()
            if words[2] == "perf_swevent_hrtimer":
                callback = int(words[0], 16)
                break
    if not callback:
        raise Skipped("kallsyms does not show perf_swevent_hrtimer")
    seconds = 4
    script = """
      tracepoint:timer:hrtimer_expire_entry /args->function == (uint64)%#x/ { @start[cpu] = nsecs; }
      tracepoint:timer:hrtimer_expire_exit /@start[cpu]/ {
        $took = nsecs - @start[cpu]; @start[cpu] = 0;
        if (comm == "spin") { @count = count(); @total = sum($took); @h = lhist($took, 0, 40000, 200); }
      }
      interval:s:%d { clear(@start); exit(); }""" % (callback, seconds)

    def measured(recorder):
        def once():
            load = Running([SPIN, str(seconds + 5), "2"])
            time.sleep(0.3)
            recording = Running([word.replace("{pid}", str(load.pid)) for word in recorder])
            time.sleep(1)
            shown = quietly(["bpftrace", "-q", "-e", script])
            recording.signal(signal.SIGINT)
            recording.wait(None)
            load.signal(signal.SIGKILL)
            load.wait(None)
            count, total = re.search(r"@count: (\d+)", shown), re.search(r"@total: (\d+)", shown)
            if not count or int(count[1]) < 1000:
                raise SystemExit("bpftrace saw too few samples of %s:\n%s" % (recorder[0], shown[:500]))
            # The median: an interrupt that another one hits is no measure of either.
            half, seen = int(count[1]) / 2, 0
            for low, number in re.findall(r"\[(\d+), \d+\)\s+(\d+)", shown):
                seen += int(number)
                if seen >= half:
                    return int(total[1]) / int(count[1]), int(low) + 100
            return int(total[1]) / int(count[1]), 40000
        return once

    trace, data = at("interrupt.seg"), at("interrupt.data")
    remove(trace)
    results = interleaved(
        options.rounds,
        empty=measured([EMPTY, at("empty.bpf.o"), "999", "60"]),
        perf=measured(PERF + ["-g", "-F", "999", "-p", "{pid}", "-o", data]),
        pyrorec=measured([PYROREC, "record", "--quiet", *WALK, "--images", "none", "-F", "999", "-p", "{pid}", "-d", "60s", "-o", trace]))
    zero, peer, ours = (median([mean for mean, _ in results[name]]) for name in ("empty", "perf", "pyrorec"))
    table.add("time in the sampling interrupt, mean above an empty program (%.0f)" % zero, ours - zero, "perf -g", peer - zero, "ns", 1.05, "%.0f")
    zero, peer, ours = (median([middle for _, middle in results[name]]) for name in ("empty", "perf", "pyrorec"))
    table.add("the same, median", ours - zero, "perf -g", peer - zero, "ns", None, "%.0f")


# -- system ------------------------------------------------------------------------------------------

def system_load(seconds):
    """A service whose stacks repeat (four threads in the generated call graph) beside a program whose stacks
    hardly ever do: together about a third of the stacks are distinct."""
    return [Running([SPIN, str(seconds), "4"]),
            Running([os.path.join(HERE, "../fixtures/programs/busy"), str(seconds)])]


def end(load):
    for program in load:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait(None)


SYSTEM = {
    "perf": (PERF + ["-g", "-F", "999", "-a", "-o", at("system.data")], "system.data"),
    "perfz": (PERF + ["-z", "-g", "-F", "999", "-a", "-o", at("systemz.data")], "systemz.data"),
    "none": ([PYROREC, "record", "--quiet", *WALK, "--images", "none", "-F", "999", "-o", at("none.seg")], "none.seg"),
    "symbols": ([PYROREC, "record", "--quiet", *WALK, "-F", "999", "-o", at("system.seg")], "system.seg"),
    "tables": ([PYROREC, "record", "--quiet", "--images", "none", "-F", "999", "-o", at("tables.seg")], "tables.seg"),
}


def record_system():
    """Each recorder for the same time under the same load, one after the other."""
    need("perf")
    results = {}
    for name, (recorder, file) in SYSTEM.items():
        remove(at(file))
        load = system_load(options.seconds + 10)
        time.sleep(1)
        last = ["-d", "%ds" % options.seconds] if "pyrorec" in recorder[0] else ["--", "sleep", str(options.seconds)]
        results[name] = run(recorder + last)
        end(load)
        print("   recorded: %s, %.2f s CPU, %.1f MiB" % (name, results[name].cpu, results[name].rss), flush=True)
    return results


def bytes_goal(distinct, few, some, most):
    """The goal for a share of distinct stacks: `few` up to 32 %, `some` at 65 %, `most` from 85 % on."""
    points = [(0.32, few), (0.65, some), (0.85, most)]
    for (low, at_low), (high, at_high) in zip(points, points[1:]):
        if distinct <= high:
            return round(at_low + (at_high - at_low) * max(0, distinct - low) / (high - low), 3)
    return most


def system():
    results = record_system()
    perf_samples, perf_lost = perf_stats(at("system.data"))
    perfz_samples, _ = perf_stats(at("systemz.data"))
    none, symbols = inspect(at("none.seg")), inspect(at("system.seg"))

    def per(result, samples):
        return result.cpu / samples * 1e6

    # Per sample, because no two minutes give the same number; the totals are in the row's name.
    table.add("recorder CPU a sample, -a 999 Hz, %d s, no ELF copies (%.2f s)" % (options.seconds, results["none"].cpu),
              per(results["none"], none["samples.recorded"]), "perf -g (%.2f s)" % results["perf"].cpu,
              per(results["perf"], perf_samples), "us", 0.7)
    table.add("the same with the default copies (%.2f s)" % results["symbols"].cpu,
              per(results["symbols"], symbols["samples.recorded"]), "perf -g", per(results["perf"], perf_samples), "us")
    tables = inspect(at("tables.seg"))
    table.add("the same without copies, unwinding by tables (%.2f s)" % results["tables"].cpu,
              per(results["tables"], tables["samples.recorded"]), "perf -g", per(results["perf"], perf_samples), "us")
    table.add("the same, no copies", per(results["none"], none["samples.recorded"]), "perf -z -g (%.2f s)" % results["perfz"].cpu,
              per(results["perfz"], perfz_samples), "us", 1.0)
    distinct = none["stacks"] / none["samples.recorded"]
    bytes_per_sample = os.path.getsize(at("none.seg")) / none["samples.recorded"]
    table.add("bytes a sample (%d samples, %.0f %% distinct stacks)" % (
        none["samples.recorded"], 100 * distinct), bytes_per_sample,
              "perf -g", os.path.getsize(at("system.data")) / perf_samples, "B", bytes_goal(distinct, 0.05, 0.075, 0.1))
    table.add("bytes a sample", bytes_per_sample, "perf -z -g", os.path.getsize(at("systemz.data")) / perfz_samples, "B",
              bytes_goal(distinct, 0.4, 0.55, 0.6))
    table.add("samples lost, -a 999 Hz", none["samples.lost"] + symbols["samples.lost"], None, None, "", 0, "%d")
    table.add("memory at its highest, no copies", results["none"].rss, "perf -g", results["perf"].rss, "MiB", 1.0, "%.1f")
    table.add("memory at its highest, default copies", results["symbols"].rss, None, None, "MiB", 64, "%.1f")
    table.add("memory at its highest, unwinding by tables", results["tables"].rss, None, None, "MiB", 200, "%.1f")
    if options.long:
        load = system_load(620)
        trace = at("long.seg")
        remove(trace)
        recording = Running([PYROREC, "record", "--quiet", *WALK, "-F", "999", "-d", "610s", "-o", trace])
        time.sleep(10)
        early = recording.rss()
        time.sleep(590)
        late = recording.rss()
        recording.wait()
        end(load)
        table.add("memory at minute 10", late, "itself at second 10", early, "MiB", 1.1, "%.1f")


# -- fast --------------------------------------------------------------------------------------------

def fast():
    need("perf")
    trace, data = at("fast.seg"), at("fast.data")

    def perf():
        load = Running([SPIN, "9", "2"])
        time.sleep(0.2)
        run(PERF + ["-g", "-F", "9999", "-p", str(load.pid), "-o", data, "--", "sleep", "5"])
        end([load])
        return perf_stats(data)

    def ours():
        remove(trace)
        load = Running([SPIN, "9", "2"])
        time.sleep(0.2)
        run([PYROREC, "record", "--quiet", *WALK, "--images", "none", "-F", "9999", "-p", str(load.pid), "-d", "5s", "-o", trace])
        end([load])
        facts = inspect(trace)
        return facts["samples.recorded"], facts["samples.lost"]

    results = interleaved(min(options.rounds, 3), perf=perf, ours=ours)
    table.add("samples in 5 s of two threads, 9,999 Hz", median([taken for taken, _ in results["ours"]]), "perf -g",
              median([taken for taken, _ in results["perf"]]), "", None, "%d")
    table.add("samples lost at 9,999 Hz (perf: %d)" % sum(lost for _, lost in results["perf"]),
              sum(lost for _, lost in results["ours"]), None, None, "", 0, "%d")


# -- start -------------------------------------------------------------------------------------------

def start():
    need("perf")

    def timed(recorder):
        def once():
            remove(at("start.seg"))
            running = Running(recorder + ["--", STAMP], out=at("stamp.out"))
            ended = running.wait()
            stamp = float(ended.out.split()[0]) / 1e9
            return 1e3 * (stamp - running.started), 1e3 * (running.started + ended.wall - stamp), ended.cpu * 1e3
        return once

    results = interleaved(
        max(options.rounds, 7),
        perf=timed(PERF + ["-g", "-a", "-o", at("start.data")]),
        default=timed(["perf", "record", "-q", "-e", "cpu-clock", "-g", "-a", "-o", at("start.data")]),
        ours=timed([PYROREC, "record", "--quiet", "-o", at("start.seg")]))
    for number, name, goal in ((0, "from the start until the command runs", 100), (1, "from the command's end to the prompt", 100)):
        ours, perf, default = (median([result[number] for result in results[key]]) for key in ("ours", "perf", "default"))
        table.add(name, ours, None, None, "ms", goal, "%.1f")
        table.add("the same", ours, "perf -N --no-bpf-event", perf, "ms", None, "%.1f")
        table.add("the same", ours, "perf with its defaults", default, "ms", None, "%.1f")
    ours, perf = (median([result[2] for result in results[key]]) for key in ("ours", "perf"))
    table.add("CPU of an empty recording", ours, "perf -N --no-bpf-event", perf, "ms", None, "%.1f")


# -- copies ------------------------------------------------------------------------------------------

def copies():
    """The Swift compiler for a moment: what recording it takes longer with copies is the copies. Both copy the
    files that samples hit; the compiler's own is by far the largest and has the build ID that perf asks for."""
    need("perf", "bzip2")
    cache, data = at("buildid"), at("copies.data")
    command = [swift_tool("swift-frontend"), "-frontend", "-typecheck", "-parse-as-library",
               os.path.join(HERE, "../fixtures/programs/swift_names.swift")]

    def record(images):
        def once():
            trace = at("copies-%s.seg" % images)
            remove(trace)
            return run([PYROREC, "record", "--quiet", "--images", images, "-F", "4999", "-o", trace, "--"] + command)
        return once

    def archive():
        shutil.rmtree(cache, ignore_errors=True)
        run(["perf", "--buildid-dir", cache, "record", "-q", "--no-bpf-event", "-e", "cpu-clock", "-F", "4999", "-g", "-o", data, "--"] + command)
        return run(["perf", "--buildid-dir", cache, "archive", data], status=None)

    results = interleaved(min(options.rounds, 3), none=record("none"), symbols=record("symbols"), full=record("full"), perf=archive)
    seconds = {name: median([result.wall for result in results[name]]) for name in results}
    work = {name: median([result.cpu for result in results[name]]) for name in results}
    facts = {name: inspect(at("copies-%s.seg" % name)) for name in ("symbols", "full")}
    mapped = facts["full"]["images.bytes"]
    table.add("copies of %d files whole, %.0f MiB" % (facts["full"]["images.copied"], mapped / 2**20),
              seconds["full"] - seconds["none"], "perf archive", seconds["perf"], "s", 0.05)
    table.add("the same, CPU", work["full"] - work["none"], "perf archive", work["perf"], "s CPU", None)
    table.add("the same, size", facts["full"]["images.stored_bytes"] / 2**20, "perf archive",
              os.path.getsize(data + ".tar.bz2") / 2**20, "MiB", None, "%.1f")
    table.add("`symbols` copies, size", facts["symbols"]["images.stored_bytes"] / 2**20, "the mapped files",
              mapped / 2**20, "MiB", 0.1, "%.1f")
    table.add("`symbols` copies, CPU", work["symbols"] - work["none"], "perf archive", work["perf"], "s CPU", None)


# -- convert -----------------------------------------------------------------------------------------

def convert():
    need("perf")
    trace, data = at("system.seg"), at("system.data")
    if not (os.path.exists(trace) and os.path.exists(data)):
        record_system()
    symbolized = run([PYROREC, "symbolize", "--quiet", trace])
    print("   symbolized in %.2f s" % symbolized.wall, flush=True)
    results = interleaved(
        options.rounds,
        perf=lambda: run(["perf", "script", "-i", data], out=at("script.txt")),
        pprof=lambda: run([PYROREC, "convert", "--quiet", trace, "-f", "pprof", "-o", at("profile.pb.gz")]),
        collapsed=lambda: run([PYROREC, "convert", "--quiet", trace, "-f", "collapsed", "-o", at("profile.folded")]))
    perf_wall = median([result.wall for result in results["perf"]])
    perf_rss = median([result.rss for result in results["perf"]])
    samples, perf_samples = inspect(trace)["samples.recorded"], perf_stats(data)[0]
    for form in ("pprof", "collapsed"):
        wall = median([result.wall for result in results[form]])
        table.add("convert to %s (%d samples; perf %d)" % (form, samples, perf_samples), wall / samples * perf_samples,
                  "perf script", perf_wall, "s", 0.125)
        table.add("CPU of it", median([result.cpu for result in results[form]]) / samples * perf_samples, "perf script",
                  median([result.cpu for result in results["perf"]]), "s CPU")
        table.add("memory of it", median([result.rss for result in results[form]]), "perf script", perf_rss, "MiB", 1.0, "%.1f")


# -- segments ----------------------------------------------------------------------------------------

def segments():
    need("lz4")
    trace = at("system.seg")
    if not os.path.exists(trace):
        record_system()
    plain, copy = at("records"), os.environ.get("COPY")
    run(["lz4", "-d", "-f", "-q", trace, plain])

    def write():
        remove(at("copy.seg"))
        ended = run([copy, trace, at("copy.seg")], out=at("copy.txt"))
        return {name: float(value) for name, value in (line.split() for line in ended.out.splitlines())}

    results = interleaved(
        options.rounds,
        lz4_test=lambda: run(["lz4", "-t", "-q", trace]),
        verify=lambda: run([PYROREC, "verify", "--quiet", trace]),
        inspect=lambda: run([PYROREC, "inspect", trace, "--format", "json"]),
        lz4_write=lambda: run(["lz4", "-1", "-f", "-q", "-BD", plain, at("records.lz4")]),
        **({"write": write} if copy else {}))
    wall = {name: median([result.wall for result in results[name]]) for name in results if name != "write"}
    mib = os.path.getsize(plain) / 2**20
    print("   lz4 reads %.0f MiB/s of records, writes %.0f MiB/s" % (mib / wall["lz4_test"], mib / wall["lz4_write"]), flush=True)
    table.add("verify: every checksum and reference (%.0f MiB of records)" % mib, wall["verify"], "lz4 -t", wall["lz4_test"], "s")
    table.add("inspect: every record read", wall["inspect"], "lz4 -t", wall["lz4_test"], "s")
    if copy:
        # Ours from decoded records, as the recorder has them; lz4's reads their bytes from a file that is in memory.
        seconds = median([result["write_seconds"] for result in results["write"]])
        cpu = median([result["write_cpu_seconds"] for result in results["write"]])
        print("   ours writes %.0f MiB/s of records" % (mib / seconds), flush=True)
        table.add("write: every record encoded again, copies as LZ4 level 3", seconds, "lz4 -1 -BD", wall["lz4_write"], "s")
        table.add("CPU of it", cpu, "lz4 -1 -BD", median([result.cpu for result in results["lz4_write"]]), "s CPU")
    table.add("size on disk", os.path.getsize(trace) / 2**20, "lz4 -1 -BD of the records", os.path.getsize(at("records.lz4")) / 2**20, "MiB", None, "%.2f")


# -- tables ------------------------------------------------------------------------------------------

def tables():
    """Unwind tables of large and small files, on one thread, beside a plain C reader of .eh_frame which does less."""
    need("gcc", "swift")
    top = os.path.join(HERE, "..")
    subprocess.run(["swift", "build", "-c", "release", "--product", "unwind-tables"], cwd=top, check=True,
                   env=dict(os.environ, PYROREC_TOOLS="1"), stdout=subprocess.DEVNULL)
    tool, peer = os.path.join(top, ".build/release/unwind-tables"), at("cfi")
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "cfi.c"), "-o", peer], check=True)
    patterns = [swift_tool("clang"), swift_tool("swift-frontend"), "/usr/lib/llvm-*/lib/libLLVM-*.so", "/usr/lib/jvm/*/lib/server/libjvm.so",
                "/usr/bin/node", "/lib/*/libc.so.6", "/usr/lib/*/libcrypto.so.3", "/usr/lib/*/libperl.so.5*"]
    files = sorted({os.path.realpath(found) for pattern in patterns for found in glob.glob(pattern)})

    def milliseconds(command, path):
        line = subprocess.run([command, path], check=True, capture_output=True, text=True).stdout
        # The path may hold anything; the numbers follow it.
        return {key: float(value) for key, value in re.findall(r"(rows|bytes/row|ms) ([0-9.]+)", line)}

    for path in files:
        results = interleaved(options.rounds, ours=lambda: milliseconds(tool, path), c=lambda: milliseconds(peer, path))
        ours, c = (median([result["ms"] for result in results[name]]) for name in ("ours", "c"))
        facts = results["ours"][0]
        table.add("table of %s, %d rows (%.1f million a second)" % (os.path.basename(path), facts["rows"], facts["rows"] / ours / 1e3),
                  ours, "C reader", c, "ms CPU", 2.0, "%.2f")
        # A small file's own rules weigh; loaded, all tables share theirs.
        table.add("its bytes a row", facts["bytes/row"], None, None, "bytes", 4.5 if facts["rows"] > 20000 else None, "%.2f")


# -- help --------------------------------------------------------------------------------------------

def help_():
    results = interleaved(
        max(options.rounds, 15), ours=lambda: run([PYROREC, "--help"]), true=lambda: run(["true"]))
    ours, true = (1e3 * median([result.wall for result in results[name]]) for name in ("ours", "true"))
    table.add("pyrorec --help (`true` alone takes %.1f)" % true, ours, None, None, "ms", 30, "%.1f")


PARTS = {"interrupt": interrupt, "system": system, "fast": fast, "start": start, "copies": copies, "convert": convert,
         "segments": segments, "tables": tables, "names": lambda: names(table, at, options), "dwarf": lambda: dwarf(table, at, options),
         "help": help_, "unwinding": lambda: unwinding(table, at, options.rounds),
         "compiler": lambda: compiler(table, at, options.rounds),
         "everyday": lambda: everyday(table, at, options.rounds, options.seconds, compiling),
         "python": lambda: python(table, at, options.rounds),
         "jfr": lambda: jfr(table, at, options.rounds)}
for part in options.parts:
    if part not in PARTS:
        parser.error("no part %s; there are %s" % (part, " ".join(PARTS)))
os.makedirs(WORK, exist_ok=True)
build()
for part in options.parts or PARTS:
    print("== " + part, flush=True)
    try:
        PARTS[part]()
    except Skipped as reason:
        table.skip(part, reason)
table.show()
