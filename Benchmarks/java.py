"""Recordings of JVMs: reading them beside the JDK's own tool, and how soon one begins. See README.md."""
import re
from benchlib import *

# Every new TLAB an event, and small ones: some 90 MB in half a minute.
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?><configuration version="2.0">
<event name="jdk.ObjectAllocationInNewTLAB"><setting name="enabled">true</setting><setting name="stackTrace">true</setting></event>
<event name="jdk.ExecutionSample"><setting name="enabled">true</setting><setting name="period">10 ms</setting></event></configuration>"""
BYTES = 85_000_000


def record(at, path, seconds):
    with open(at("churn.jfc"), "w") as settings:
        settings.write(SETTINGS)
    subprocess.run(["javac", "-d", at(""), os.path.join(HERE, "Churn.java")], check=True)
    subprocess.run(["java", "-XX:TLABSize=2k", "-XX:MinTLABSize=2k", "-XX:-ResizeTLAB",
                    "-XX:StartFlightRecording=settings=%s,filename=%s" % (at("churn.jfc"), path), "-cp", at(""), "Churn", str(seconds)],
                   check=True, stdout=DEVNULL, stderr=DEVNULL)


def recording(at):
    """A file of at least BYTES, made once."""
    path = at("churn.jfr")
    for seconds in (30, 90, 270):
        if os.path.exists(path) and os.path.getsize(path) >= BYTES:
            return path
        record(at, path, seconds)
    if os.path.getsize(path) < BYTES:
        raise Skipped("this machine makes no recording of %d MB" % (BYTES // 1_000_000))
    return path


def reading(table, at, rounds):
    path = recording(at)
    size = os.path.getsize(path)
    results = interleaved(
        rounds, ours=lambda: run([PYROREC, "convert", "--quiet", path, "-o", at("churn.pb.gz")]),
        summary=lambda: run(["jfr", "summary", path]))
    ours = median([result.cpu for result in results["ours"]])
    per = 100e6 / size
    name = "convert a JFR file, a 100 MB of it (%.0f MB)" % (size / 1e6)
    print("   %.0f MB/s" % (size / 1e6 / ours), flush=True)
    table.add(name, ours * per, None, None, "s CPU", 0.5)
    table.add("the same", ours, "jfr summary", median([result.cpu for result in results["summary"]]), "s CPU")
    table.add("memory of it", median([result.rss for result in results["ours"]]), None, None, "MiB", 256, "%.0f")
    # The JDK's tool would print the large one for many minutes.
    small = at("churn-small.jfr")
    record(at, small, 1)
    results = interleaved(
        min(rounds, 3), ours=lambda: run([PYROREC, "convert", "--quiet", small, "-o", at("churn.pb.gz")]),
        printed=lambda: run(["sh", "-c", 'jfr print --json --stack-depth 64 "$1" >/dev/null', "sh", small]))
    ours, printed = (median([result.cpu for result in results[name]]) for name in ("ours", "printed"))
    table.add("convert a JFR file of %.1f MB" % (os.path.getsize(small) / 1e6), ours, "jfr print --json", printed, "s CPU", 0.05)


def starting(table, at, rounds):
    """From the start of `pyrorec` to the first sample that a JVM took for it. As an ordinary user, without the sampler's own start."""
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    subprocess.run(["javac", "-d", at(""), os.path.join(HERE, "Churn.java")], check=True)
    os.chmod(at(""), 0o755)
    folder = at("java")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o777)
    jvm = Running(user + ["java", "-Xmx64m", "-cp", at(""), "Churn", "600"])
    times = []
    try:
        time.sleep(3)
        for number in range(rounds + 1):
            trace = os.path.join(folder, "%d.seg" % number)
            began = time.time()
            run(user + [PYROREC, "record", "--quiet", "-d", "2s" if number else "10s", "--java", str(jvm.pid), "-o", trace])
            shutil.rmtree(folder + "/out", ignore_errors=True)
            run([PYROREC, "extract", "--quiet", trace, "-o", folder + "/out"])
            name = os.path.join(folder, "out/jfr", os.listdir(folder + "/out/jfr")[0])
            shown = quietly(["jfr", "print", "--events", "jdk.ExecutionSample,jdk.CPUTimeSample", "--stack-depth", "1", name])
            if "startTime" not in shown:
                raise Skipped("no sample of the JVM within %d s: the machine is too busy" % (2 if number else 10))
            first = min(int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in re.findall(r"startTime = (\d+):(\d+):([\d.]+)", shown))
            local = time.localtime(began)
            midnight = local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec + began % 1
            times.append(1e3 * (first - midnight))
    finally:
        jvm.signal(signal.SIGKILL)
        jvm.wait(status=None)
    # The first recording of a JVM loads its recorder: that one is not warm.
    print("   first recording of this JVM: %.0f ms" % times[0], flush=True)
    table.add("first sample of a warm JVM after pyrorec's start", median(times[1:]), None, None, "ms", 200, "%.0f")


def jfr(table, at, rounds):
    need("java", "javac", "jfr", "setpriv")
    reading(table, at, rounds)
    starting(table, at, rounds)
