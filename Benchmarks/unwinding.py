"""What unwinding a user stack costs inside the sampler: by tables, beside the kernel's walk along frame pointers."""
from benchlib import *

TOP = os.path.join(HERE, "..")
DEPTHS = (10, 50, 100)
# Samples in quick succession find their tables, their stack and their code in the caches. Rare ones do not, and nothing at all
# where the program itself walks through more memory than the caches hold.
STATES = (("warm, 4999 Hz", 4999, 2, 0), ("cold, 97 Hz", 97, 4, 0), ("coldest, 97 Hz, 64 MiB of the program's own", 97, 4, 64))
# A share of one CPU would put the others' caches into the measure.
FAVOURED = ["nice", "-n", "-15", "taskset", "-c", "0"]


def compile_sampler(to, *flags):
    """The sampler's object as Plugins/CompileBPF makes it."""
    clang = os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), "clang")
    machine = os.uname().machine
    bpf = os.path.join(TOP, "bpf")
    subprocess.run([clang, "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror",
                    "-I", os.path.join(bpf, "abi/include"), "-I", os.path.join(bpf, "include"), "-I", bpf,
                    "-D__TARGET_ARCH_" + {"x86_64": "x86", "aarch64": "arm64"}[machine],
                    "-I/usr/include/%s-linux-gnu" % machine, *flags, "-c", os.path.join(bpf, "sampler.bpf.c"), "-o", to], check=True)


def build(at):
    source = os.path.join(HERE, "depth.c")
    frame = ["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer"]
    common = ["gcc", "-O2", "-fno-optimize-sibling-calls", source, "-o"]
    subprocess.run(common + [at("depth-fp")] + frame, check=True)
    subprocess.run(common + [at("depth"), "-fomit-frame-pointer"], check=True)
    subprocess.run(["gcc", "-O2", "-I", os.path.join(TOP, "bpf/abi/include"), os.path.join(HERE, "sampling.c"),
                    "-o", at("sampling"), "-lbpf"], check=True)
    compile_sampler(at("sampler.o"))
    compile_sampler(at("sampler-words.o"), "-DUNWIND_WORD_READS")


def sampled(at, recorder, target, hertz, seconds, program="on_sample_tables", build="sampler.o"):
    """What `sampling` (sampling.c) says of so many seconds."""
    words = run(["nice", "-n", "-15", at("sampling"), at(build), program, str(recorder), str(target), str(hertz), str(seconds)],
                out=at("sampling.out")).out.split()
    return {key: float(value) for key, value in zip(words[::2], words[1::2])}


class Recorded:
    """A program and a recorder that holds its tables."""

    def __init__(self, at, argv, settle=1.5):
        self.load = Running(argv)
        time.sleep(0.3)
        self.recorder = Running(["nice", "-n", "-15", PYROREC, "record", "--quiet", "--images", "none", "-F", "1", "-p", str(self.load.pid),
                                 "-o", at("unwinding.seg")])
        time.sleep(settle)

    def end(self):
        self.load.signal(signal.SIGKILL)
        self.load.wait(None)
        self.recorder.signal(signal.SIGTERM)
        self.recorder.wait(None)


def unwinding(table, at, rounds):
    build(at)
    for what, hertz, seconds, mib in STATES:
        for depth in DEPTHS:
            arguments = [str(depth), "600"] + ([str(mib)] if mib else [])
            bare = Recorded(at, FAVOURED + [at("depth")] + arguments)
            walked = Running(FAVOURED + [at("depth-fp")] + arguments)
            time.sleep(0.3)

            # Only one of the two runs at a time.
            def once(running, resting, **how):
                def measure():
                    resting.signal(signal.SIGSTOP)
                    running.signal(signal.SIGCONT)
                    time.sleep(0.1)
                    found = sampled(at, bare.recorder.pid if running is bare.load else 0, running.pid, hertz, seconds, **how)
                    if found["frames"] < depth:
                        raise SystemExit("%d frames deep, %.1f found" % (depth, found["frames"]))
                    return found["ns"]
                return measure

            results = interleaved(
                rounds, tables=once(bare.load, walked), words=once(bare.load, walked, build="sampler-words.o"),
                walk=once(walked, bare.load, program="on_sample"))
            walked.signal(signal.SIGKILL)
            walked.wait(None)
            bare.end()
            took = {name: median(results[name]) for name in results}
            table.add("a sample %d frames deep, the whole program (%s)" % (depth, what), took["tables"],
                      "bpf_get_stack, with frame pointers", took["walk"], "ns",
                      {4999: 0.8, 97: 1.0}[hertz] if depth == 50 else None, "%.0f")
            table.add("the same, reading the stack a word at a time", took["words"],
                      "bpf_get_stack, with frame pointers", took["walk"], "ns", None, "%.0f")


def compiling(at):
    """The command of a compilation that takes most of a minute."""
    clang = os.path.join(os.path.dirname(os.path.realpath(shutil.which("swift"))), "clang")
    with open(at("large.cpp"), "w") as source:
        source.write("""
template <int N, int K> struct S { static int f(int x) {
  int v[N % 13 + 3]; for (int i = 0; i < N % 13 + 3; i++) v[i] = x * (i + K) + S<N - 1, K>::f(x + i);
  int s = K; for (int y : v) s ^= y; return s; } };
template <int K> struct S<0, K> { static int f(int x) { return x + K; } };
""")
        for i in range(16):
            source.write("int g%d(int x) { return S<%d, %d>::f(x); }\n" % (i, 880, i))
    return [clang, "-x", "c++", "-O3", "-ftemplate-depth=2000", "-c", at("large.cpp"), "-o", at("large.o")]


def compiler(table, at, rounds):
    """A process with a million and a half rows: the toolchain's clang on a large file. Its stacks are as deep as they are;
    the peer's depth is 50, and both are also shown by frame."""
    build(at)
    command = FAVOURED + compiling(at)
    for what, hertz, seconds in (("999 Hz", 999, 6), ("97 Hz", 97, 10)):
        def compiled(**how):
            def measure():
                big = Recorded(at, command, settle=3)
                found = sampled(at, big.recorder.pid, big.load.pid, hertz, seconds, **how)
                big.end()
                return found
            return measure

        def walk():
            load = Running(FAVOURED + [at("depth-fp"), "50", "600", "64"])
            time.sleep(0.3)
            found = sampled(at, 0, load.pid, hertz, seconds, program="on_sample")
            load.signal(signal.SIGKILL)
            load.wait(None)
            return found

        results = interleaved(rounds, tables=compiled(), words=compiled(build="sampler-words.o"), walk=walk)
        ns, frames = ({name: median([found[key] for found in results[name]]) for name in results} for key in ("ns", "frames"))
        for name in ("tables", "words"):
            way = "clang -O3 (%s), " % what + ("" if name == "tables" else "a word at a time, ")
            table.add(way + "%.0f frames deep, a sample" % frames[name], ns[name], "bpf_get_stack, %.0f frames" % frames["walk"], ns["walk"],
                      "ns", None, "%.0f")
            # What does not grow with the depth is the same in both, so this is more than 50 frames would take.
            table.add(way + "as if 50 frames deep", ns[name] * 50 / frames[name], "bpf_get_stack, 50 frames", ns["walk"] * 50 / frames["walk"],
                      "ns", 4 if name == "tables" else None, "%.0f")
