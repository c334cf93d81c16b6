"""What recording by tables costs a machine at the default rate: CPU and memory, and how soon stacks are complete."""
import struct
from benchlib import *

CACHE = "/var/cache/pyrorec"
STATISTICS = "/proc/sys/kernel/bpf_stats_enabled"
COMPLETE, SAMPLE_HEADER = 0, struct.Struct("<HBBHHIIIIIBBHQQQQ")

JAVA = """import java.util.*;
public class Busy { public static void main(String[] a) { Map<String, Integer> m = new TreeMap<>();
  for (long n = 0; ; n++) m.merge(Long.toHexString(n * 7919 % 65536), 1, Integer::sum); } }
"""
NODE = "for (;;) JSON.parse(JSON.stringify(Array.from({length: 2000}, (_, i) => ({i, s: String(i)}))));"


def uleb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def samples(tape):
    """(time, result, user frames) of every sample as the kernel sent it, from a tape (RecordingTape.swift)."""
    with open(tape, "rb") as file:
        data = file.read()
    at, found = 0, []
    while at < len(data):
        kind = data[at]
        length, at = uleb(data, at + 1)
        if kind == 1:
            count, place = uleb(data, at + 8)
            end = place + count
            while place < end:
                size = struct.unpack_from("<I", data, place)[0]
                header = SAMPLE_HEADER.unpack_from(data, place + 4)
                found.append((header[13], header[1], header[3]))
                place += 4 + size
        at += length
    return sorted(found)


def first_complete(at, milliseconds):
    """Of a recording of the whole system: milliseconds until sampling began, from there until the first sample that the sampler
    itself unwound to the end, until the first that is complete in the trace (its stack came along, its table later), the share of
    complete user stacks in the trace, and until the program ended."""
    trace, tape = at("first.seg"), at("first.tape")
    started = time.monotonic()
    ended = run([PYROREC, "record", "--quiet", "--images", "none", "-F", "499", "-d", "%dms" % milliseconds, "--tape", tape, "-o", trace])
    begun = int(json.loads(quietly([PYROREC, "inspect", trace, "--format", "json"]))["facts"]["start.time"])
    taken = [(moment, result) for moment, result, frames in samples(tape) if frames or result != COMPLETE]
    whole = [moment for moment, result in taken if result == COMPLETE]
    facts = inspect(trace)
    stacks = {name: count for name, count in facts.items() if name.startswith("unwind.")}
    share = stacks["unwind.complete"] / max(sum(stacks.values()), 1)
    return (begun / 1e6 - started * 1e3, (whole[0] - begun) / 1e6 if whole else float(milliseconds), share, 1e3 * ended.wall,
            (taken[0][0] - begun) / 1e6 if taken else float(milliseconds))


def starting(table, at, rounds):
    """Cold: no table is kept on disk. A file system of this run's own hides the real ones (Benchmarks/run makes the namespace)."""
    os.makedirs(CACHE, mode=0o700, exist_ok=True)
    count = sum(name.isdigit() for name in os.listdir("/proc"))

    def cold():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", CACHE], check=True)
        try:
            return first_complete(at, 300), first_complete(at, 100)
        finally:
            subprocess.run(["umount", CACHE], check=True)

    # Whatever else runs is the load; two busy programs see to it that there is one.
    load = [Running([at("spin"), "600", "1"]), Running([sys.executable, "-c", NODELESS])]
    first_complete(at, 2000)
    results = interleaved(rounds, cold=cold)["cold"]
    warm = [first_complete(at, 100) for _ in range(rounds)]
    for program in load:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(None)
    for name, found, goal in (("cold", [result[0] for result in results], 300), ("with the cache", warm, 100)):
        begun, sampler, share, wall, taken = (median([result[number] for result in found]) for number in range(5))
        table.add("first sample that the sampler unwound whole, %s (%d processes)" % (name, count), sampler, None, None, "ms", goal, "%.1f")
        table.add("  the same from the start of the program", begun + sampler, None, None, "ms", goal, "%.1f")
        table.add("  user stacks of the first %d ms not complete in the trace" % goal, 100 * (1 - share), None, None, "%", None, "%.1f")


NODELESS = "import json\nwhile True: json.loads(json.dumps([{'i': i} for i in range(2000)]))"


def costs(table, at, seconds):
    """Recorder and sampler together, with both CPUs busy."""
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "runtimes.c"), "-o", at("runtimes"), "-lbpf"], check=True)
    with open(STATISTICS) as switch:
        before = switch.read()
    with open(STATISTICS, "w") as switch:
        switch.write("1")
    cpus = os.cpu_count()
    load = Running([at("spin"), str(2 * seconds + 40), str(cpus)])
    ticks = os.sysconf("SC_CLK_TCK")

    def spent(recording):
        with open("/proc/%d/stat" % recording.pid) as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        programs = [line.split() for line in quietly([at("runtimes"), str(recording.pid)]).splitlines()]
        return (int(words[11]) + int(words[12])) / ticks, sum(int(words[2]) for words in programs) / 1e9

    def record(*more):
        recording = Running([PYROREC, "record", "--quiet", *more, "-d", "%ds" % seconds, "-o", at("everyday.seg")])
        time.sleep(10)
        early = spent(recording)
        time.sleep(seconds - 11)
        late = spent(recording)
        return recording.wait(), early, late, inspect(at("everyday.seg"))["samples.recorded"]

    try:
        time.sleep(1)
        plain, copying = record("--images", "none"), record()
    finally:
        with open(STATISTICS, "w") as switch:
            switch.write(before)
        os.killpg(load.pid, signal.SIGKILL)
        load.wait(None)
    # Copies are made once, of as much as the programs that run are large.
    for what, (ended, early, late, count), goal in (("no copies", plain, 1), ("default copies", copying, None)):
        table.add("CPU of recorder and BPF programs at 97 Hz, %d CPUs busy, %s, start and end included (%d s, %d samples)" % (
            cpus, what, seconds, count), 100 * (ended.cpu + late[1]) / seconds, None, None, "% of a CPU", goal, "%.2f")
        table.add("  from second 10 on: the recorder", 100 * (late[0] - early[0]) / (seconds - 11), None, None, "% of a CPU", None, "%.2f")
        table.add("  the BPF programs", 100 * (late[1] - early[1]) / (seconds - 11), None, None, "% of a CPU", None, "%.3f")


def memory(table, at, compiling):
    """With a compiler, a JVM and Node running, those of them that are there."""
    with open(at("Busy.java"), "w") as source:
        source.write(JAVA)
    programs = {"clang": compiling, "java": ["java", at("Busy.java")], "node": ["node", "-e", NODE]}
    there = [name for name, command in programs.items() if shutil.which(command[0])]
    load = [Running(programs[name]) for name in there]
    time.sleep(3)
    recording = run([PYROREC, "record", "--quiet", "-d", "15s", "-o", at("memory.seg")])
    for program in load:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(None)
    table.add("memory of the recorder at its highest, with %s running" % ", ".join(there), recording.rss, None, None, "MiB", 200, "%.0f")


def everyday(table, at, rounds, seconds, compiling):
    starting(table, at, rounds)
    memory(table, at, compiling(at))
    costs(table, at, seconds)
