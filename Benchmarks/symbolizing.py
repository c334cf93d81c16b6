"""The parts `names` and `dwarf`: functions, lines and inlined functions of addresses."""
import glob
import random
import re
import resource
from benchlib import *

PERF = ["perf", "record", "-q", "-N", "--no-bpf-event", "-e", "cpu-clock"]


def swift_tool(name):
    return os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), name)


# -- names -------------------------------------------------------------------------------------------

def names(table, at, options):
    """Names from symbol tables, on one thread: a plain load, sort and halving in C, and llvm-symbolizer for fewer addresses."""
    need("gcc", "swift", "nm")
    tool, peer = os.environ.get("NAMES"), at("names")
    if not tool:
        raise Skipped("symbol-names is not built")
    subprocess.run(["gcc", "-O2", os.path.join(HERE, "names.c"), "-o", peer], check=True)
    symbolizer = shutil.which("llvm-symbolizer") or swift_tool("llvm-symbolizer")
    patterns = [swift_tool("swift-frontend"), swift_tool("clang"), swift_tool("lldb-server"), "/usr/bin/node"]

    def asked(command, addresses):
        with open(addresses) as source, open(at("names.out"), "w") as out:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, stdin=source, stdout=out, stderr=subprocess.DEVNULL, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    for path in sorted({os.path.realpath(pattern) for pattern in patterns if os.path.exists(pattern)}):
        lines = subprocess.run(["nm", "-S", "--defined-only", path], capture_output=True, text=True).stdout.splitlines()
        functions = [(int(words[0], 16), int(words[1], 16)) for words in (line.split() for line in lines)
                     if len(words) >= 4 and words[2] in "tTwW"]
        functions = [function for function in functions if function[1] > 0]
        if len(functions) < 1000:
            continue
        choice = random.Random(1)
        for name, count in (("many", 1000000), ("few", 100000)):
            with open(at(name), "w") as out:
                for start, size in choice.choices(functions, k=count):
                    out.write("0x%x\n" % (start + choice.randrange(size)))
        base = os.path.basename(path)
        results = interleaved(
            options.rounds,
            ours=lambda: asked([tool, path, "--quiet"], at("many")), c=lambda: asked([peer, path], at("many")),
            few=lambda: asked([tool, path], at("few")),
            llvm=lambda: asked([symbolizer, "--obj=" + path, "--no-inlines", "--no-demangle"], at("few")))
        found = {name: median(results[name]) for name in results}
        print("   %s: %d functions, %.1f million addresses a second" % (base, len(functions), 1 / found["ours"]), flush=True)
        table.add("names of 1,000,000 addresses of %s" % base, found["ours"], "C: sort and halve", found["c"], "s CPU", 1.5, "%.2f")
        table.add("names of 100,000 addresses of %s (%.0f MB)" % (base, os.path.getsize(path) / 1e6), found["few"], "llvm-symbolizer",
                  found["llvm"], "s CPU", 0.25, "%.2f")
# -- dwarf -------------------------------------------------------------------------------------------

def java_source(at):
    need("perf", "javac")
    source = at("Many.java")
    with open(source, "w") as text:
        for number in range(1500):
            text.write("class C%d<T extends Comparable<T>> { java.util.List<T> l = new java.util.ArrayList<>(); int f%d(int x) {"
                       " return l.stream().filter(y -> y != null).mapToInt(y -> y.hashCode() + x).map(z -> z * %d).sum(); } }\n"
                       % (number, number, number))
    return source


def frames_in(data, libjvm, *more):
    """The distinct addresses of a recording's frames in the JVM."""
    segments = quietly(["readelf", "-lW", libjvm]).splitlines()
    shift = next(int(w[2], 16) - int(w[1], 16) for w in map(str.split, segments) if w[:1] == ["LOAD"] and "E" in w[6:-1])
    found = set()
    for line in quietly(["perf", "script", "-i", data, "--no-inline", "-F", "ip,dso", *more]).splitlines():
        words = line.split()
        # perf script prints where in the file a frame is, counted from the start of its mapping.
        if len(words) >= 2 and words[1].endswith("libjvm.so)"):
            found.add(int(words[0], 16) + shift)
    return sorted(found)


def java_addresses(at, libjvm):
    """The distinct addresses of a recorded javac in the JVM, as perf saw them."""
    data = at("javac.data")
    run(PERF + ["-F", "4999", "-g", "-o", data, "javac", "-d", at("classes"), java_source(at)], env={"JAVA_TOOL_OPTIONS": ""})
    return frames_in(data, libjvm)


def random_addresses(path, count):
    sizes = [(int(w[1], 16), int(w[2], 0)) for w in map(str.split, quietly(["readelf", "-sW", path]).splitlines())
             if len(w) >= 8 and w[3] == "FUNC" and w[6] != "UND" and w[2] != "0"]
    generator = random.Random(11)
    chosen = generator.choices(sorted(set(sizes)), [size for _, size in sorted(set(sizes))], k=count)
    return [start + generator.randrange(size) for start, size in chosen]


def dwarf(table, at, options):
    frames, tool = os.environ.get("FRAMES"), os.environ.get("NAMES")
    if not frames or not tool:
        raise Skipped("dwarf-frames or symbol-names is not built")
    need("llvm-symbolizer", "objcopy", "readelf")
    libjvm = next((path for path in glob.glob("/usr/lib/jvm/*/lib/server/libjvm.so")), None)
    name = re.search("Build ID: (..)(.*)", quietly(["readelf", "-nW", libjvm])) if libjvm else None
    shipped = "/usr/lib/debug/.build-id/%s/%s.debug" % name.groups() if name else ""
    if not os.path.exists(shipped):
        raise Skipped("openjdk-17-dbg is not installed")
    plain = at("libjvm.debug")
    run(["objcopy", "--decompress-debug-sections", shipped, plain])
    crate = None
    if shutil.which("cargo") and os.path.isdir("/usr/share/cargo/registry/addr2line-0.19.0"):
        shutil.copytree(os.path.join(HERE, "addr2line"), at("addr2line"), dirs_exist_ok=True)
        subprocess.run(["cargo", "build", "-q", "--release", "--offline"], cwd=at("addr2line"), check=True)
        crate = at("addr2line/target/release/addr2line-rate")

    def asked(addresses, *argv):
        return lambda: run(["sh", "-c", 'exec "$@" < "$0"', addresses, *argv], out=at("frames.txt"))

    def compare(what, addresses, path, goals):
        file = at("addresses")
        with open(file, "w") as text:
            text.write("".join("0x%x\n" % address for address in addresses))
        tools = {"ours": asked(file, frames, "--count", path),
                 "llvm": asked(file, "llvm-symbolizer", "--obj=" + path, "--functions=linkage", "--inlines")}
        if crate:
            tools["crate"] = asked(file, crate, path)
        results = interleaved(options.rounds, **tools)
        wall, cpu, rss = ({name: median([getattr(r, field) for r in results[name]]) for name in tools} for field in ("wall", "cpu", "rss"))
        said = json.loads(results["ours"][-1].out)
        what = "%s, %d addresses" % (what, len(addresses))
        table.add(what, wall["ours"], "llvm-symbolizer", wall["llvm"], "s", goals[0])
        # Ours may use two cores: with others on them the walls say less than this.
        table.add("  CPU", cpu["ours"], "llvm-symbolizer", cpu["llvm"], "s CPU")
        if crate:
            assert abs(json.loads(results["crate"][-1].out)["frames"] - said["frames"]) <= 1e-4 * said["frames"]
            table.add(what, wall["ours"], "addr2line crate", wall["crate"], "s", goals[1])
            table.add("  CPU", cpu["ours"], "addr2line crate", cpu["crate"], "s CPU")
        table.add("  resident", rss["ours"], "llvm-symbolizer", rss["llvm"], "MiB", 0.35, "%.0f")
        table.add("  private", said["private_mib"], None, None, "MiB", goals[2], "%.0f")

    java = java_addresses(at, libjvm)
    compare("libjvm, a javac recording", java, plain, (0.25, 1, 100))
    compare("libjvm, random", random_addresses(plain, 100000), plain, (1 / 3, 1, 100))
    compare("libjvm as shipped (zlib), random", random_addresses(plain, 1000), shipped, (0.6, None, 100))
    for path in (plain, shipped):
        prepared(table, at, options, tool, path, java)
    perf_inline(table, at, options, frames, libjvm, plain, shipped)


def prepared(table, at, options, tool, path, addresses):
    """The same addresses twice, with lines kept in between; the whole of symbolizing, names from the symbol table too."""
    file, kept = at("addresses"), at("lines")
    with open(file, "w") as text:
        text.write("".join("0x%x\n" % address for address in addresses))

    def asked(*more):
        ended = run(["sh", "-c", 'exec "$@" < "$0"', file, tool, path, "--alone", "--workers", "2", "--quiet", *more], out=at("names.out"))
        words = ended.out.split()
        # Its own memory at its highest: what the kernel counts for a child begins with ours.
        ended.named, ended.seconds, ended.resident = int(words[0]), float(words[4]), int(words[-2])
        return ended

    def first():
        shutil.rmtree(kept, ignore_errors=True)
        return asked("--cache", kept)

    results = interleaved(options.rounds, without=asked, first=first, second=lambda: asked("--cache", kept))
    seconds = {name: median([r.seconds for r in results[name]]) for name in results}
    assert len({r.named for name in results for r in results[name]}) == 1
    what = "%s, a javac recording again" % ("compressed" if "build-id" in path else "plain")
    table.add(what, seconds["second"], "its first time, nothing kept", seconds["without"], "s", 1 / 3)
    table.add("  the first time, keeping", seconds["first"], "nothing kept", seconds["without"], "s")
    table.add("  resident the second time", max(r.resident for r in results["second"]), None, None, "MiB", 64, "%.0f")
    table.add("  kept", sum(os.path.getsize(name) for name in glob.glob(kept + "/*")) / 2**20, None, None, "MiB", 64, "%.1f")


def perf_inline(table, at, options, frames, libjvm, plain, shipped):
    """perf takes inlined functions from debug information for stacks it unwinds itself, asking addr2line for each frame: minutes
    for a recording. Without --long it gets the samples of a tenth of the time, and so do we."""
    need("perf", "javac", "addr2line")
    data = at("javac-dwarf.data")
    run(PERF + ["-F", "499", "--call-graph", "dwarf,8192", "-o", data, "javac", "-d", at("classes"), java_source(at)],
        env={"JAVA_TOOL_OPTIONS": ""})
    part = [] if options.long else ["--time", "10%/5"]
    addresses = frames_in(data, libjvm, *part)
    file = at("addresses")
    with open(file, "w") as text:
        text.write("".join("0x%x\n" % address for address in addresses))
    peer = run(["perf", "script", "-i", data, "--inline", *part], out=at("inline.txt")).wall
    results = interleaved(options.rounds, **{
        name: lambda path=path: run(["sh", "-c", 'exec "$@" < "$0"', file, frames, "--count", path], out=at("frames.txt"))
        for name, path in (("plain", plain), ("shipped", shipped))})
    what = "%d addresses of %s a javac recording" % (len(addresses), "" if options.long else "a tenth of")
    for name, goal in (("plain", 1 / 150), ("shipped", 1 / 50)):
        table.add("%s (%s)" % (what, name), median([r.wall for r in results[name]]), "perf script --inline", peer, "s", goal)
