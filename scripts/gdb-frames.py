# Run by scripts/try-gdb inside of gdb: stops the processes below ROOT at random moments, has each thread unwound by
# gdb and, from the same registers and memory, by unwind-threads, and compares the two chains frame by frame.
#
# Environment: ROOT, THREADS (how many to compare), UNWIND_THREADS, TABLES (a directory), CHAINS (where differences go), SEED.
# The last line says `RESULT compared equal explained different`, then one `REASON count text` a reason.
import os
import random
import subprocess
import time

import gdb

NAMES = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip orig_rax".split()
MAXIMUM_FRAMES = 1024
WORD = (1 << 64) - 1


def below(root):
    """The processes below `root` that do the work: neither a shell nor timeout."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as children:
                    waiting += [int(word) for word in children.read().split()]
            with open(f"/proc/{pid}/comm") as comm:
                if comm.read().strip() not in ("sh", "dash", "bash", "timeout"):
                    found.append(pid)
        except OSError:
            pass
    return sorted(found)


class Frame:
    def __init__(self, pc, name, kind):
        self.pc, self.name, self.kind = pc, name, kind


def gdb_chain():
    """gdb's frames that are frames of the machine: code that was inlined or left by a jump has none. And why gdb stopped."""
    frames, frame, reason = [], gdb.newest_frame(), ""
    try:
        while frame is not None and len(frames) < MAXIMUM_FRAMES:
            if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                frames.append(Frame(frame.pc() & WORD, frame.name() or "??", frame.type()))
            reason = gdb.frame_stop_reason_string(frame.unwind_stop_reason())
            frame = frame.older()
    except gdb.error as error:
        reason = str(error)
    return frames, reason


def registers():
    frame = gdb.newest_frame()
    return " ".join(f"{int(frame.read_register(name)) & WORD:x}" for name in NAMES)


def our_chains(pid, lines):
    done = subprocess.run(
        [os.environ["UNWIND_THREADS"], str(pid), os.environ["TABLES"]], input=lines, capture_output=True, text=True, check=True)
    chains = {}
    for line in done.stdout.splitlines():
        if line.startswith("thread "):
            words = line.split(" ", 3)
            chain = chains.setdefault(int(words[1]), {"result": " ".join(words[2:]), "frames": [], "places": []})
        else:
            address, offset, path = line.split(" ", 2)
            chain["frames"].append(int(address, 16))
            chain["places"].append(f"{path}+0x{offset}")
    return chains


def symbol(address):
    # One byte before, where a call is the last thing in its function.
    text = gdb.execute(f"info symbol {address - 1:#x}", to_string=True).split(" in section")[0]
    return "??" if text.startswith("No symbol") else text


def explanation(theirs, ours, result, stopped):
    """Why gdb's chain is not the stack, by rules that name what gdb does there; None when nobody is known to be wrong but us."""
    return None


def show(out, tid, theirs, ours, stopped):
    out.write(f"thread {tid}: ours {ours['result']}; gdb: {stopped}\n")
    for index in range(max(len(theirs), len(ours["frames"]))):
        left = right = ""
        if index < len(theirs):
            left = f"{theirs[index].pc:x} {theirs[index].name[:60]}"
        if index < len(ours["frames"]):
            address = ours["frames"][index]
            right = f"{address:x} {symbol(address)[:60]} {ours['places'][index]}"
        is_same = index < len(theirs) and index < len(ours["frames"]) and theirs[index].pc == ours["frames"][index]
        out.write(f"  {' ' if is_same else '!'} {index:3} {left:75} | {right}\n")


def stop_and_compare(pid, counts, reasons, out):
    try:
        gdb.execute(f"attach {pid}", to_string=True)
    except gdb.error:
        return  # ended
    try:
        found, lines = {}, ""
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            tid = thread.ptid[1]
            found[tid] = gdb_chain()
            lines += f"{tid} {registers()}\n"
        chains = our_chains(pid, lines)
        for tid, (theirs, stopped) in found.items():
            ours = chains[tid]
            counts["compared"] += 1
            if [frame.pc for frame in theirs] == ours["frames"]:
                counts["equal"] += 1
                counts["frames"] += len(theirs)
                counts["guessed"] += ours["result"].startswith("guessed")
                continue
            why = explanation(theirs, ours["frames"], ours["result"], stopped)
            counts["explained" if why else "different"] += 1
            reasons[why or "not explained"] = reasons.get(why or "not explained", 0) + 1
            out.write(f"{why or 'NOT EXPLAINED'}: ")
            show(out, tid, theirs, ours, stopped)
    finally:
        gdb.execute("detach", to_string=True)


def main():
    root, wanted = int(os.environ["ROOT"]), int(os.environ["THREADS"])
    chance = random.Random(int(os.environ.get("SEED", "1")))
    counts = dict.fromkeys(("compared", "equal", "explained", "different", "frames", "guessed"), 0)
    reasons = {}
    deadline = time.monotonic() + float(os.environ.get("LIMIT", "240"))
    with open(os.environ["CHAINS"], "w") as out:
        while counts["compared"] < wanted and time.monotonic() < deadline:
            time.sleep(chance.uniform(0.02, 0.4))
            for pid in below(root):
                stop_and_compare(pid, counts, reasons, out)
    for reason, count in sorted(reasons.items()):
        print(f"REASON {count} {reason}")
    print("RESULT " + " ".join(str(counts[name]) for name in ("compared", "equal", "explained", "different", "frames", "guessed")))


for setting in (
    "debuginfod enabled off", "auto-load off", "confirm off", "pagination off", "backtrace past-main on", "backtrace past-entry on",
    "backtrace limit unlimited", "print thread-events off", "auto-solib-add on",
):
    gdb.execute(f"set {setting}", to_string=True)
main()
