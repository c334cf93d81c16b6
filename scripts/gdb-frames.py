# Run by scripts/try-gdb inside of gdb: stops the processes below ROOT at random moments, has each thread unwound by
# gdb and, from the same registers and memory, by unwind-threads, and compares the two chains frame by frame.
#
# Environment: ROOT, THREADS (how many to compare), UNWIND_THREADS, TABLES (a directory), CHAINS (where differences go), SEED.
# The last line says `RESULT compared equal explained different`, then one `REASON count text` a reason.
import functools
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
    def __init__(self, pc, sp, name):
        self.pc, self.sp, self.name = pc, sp, name


def gdb_chain():
    """gdb's frames that are frames of the machine: code that was inlined or left by a jump has none. And why gdb stopped."""
    frames, frame, reason = [], gdb.newest_frame(), ""
    try:
        while frame is not None and len(frames) < MAXIMUM_FRAMES:
            if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                sp = int(frame.read_register("rsp")) & WORD
                frames.append(Frame(frame.pc() & WORD, sp, frame.name() or "??"))
            # Zero is what lies behind the outermost frame.
            if frames and frames[-1].pc == 0:
                frames.pop()
                break
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


# Functions behind which there is no caller, though gdb finds a word that it takes for one.
OUTERMOST = {
    "runtime.mcall": "the goroutine that called it was left for good, the scheduler's stack begins there",
    "runtime.clone": "the stack of a new thread begins there",
    "__clone": "the stack of a new thread begins there",
}
# What a return leads to without a call before it.
NOT_CALLED = ("runtime.goexit", "__restore_rt", "runtime.sigreturn")


def function(address):
    return symbol(address).split(" + ")[0].replace("[", ".").removesuffix("]").removesuffix(".abi0")


class Code:
    """The executable memory of a process: what is a return address there, and what was called."""

    def __init__(self, pid):
        self.ranges = []
        with open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                words = line.split(None, 5)
                if "x" in words[1]:
                    start, end = (int(word, 16) for word in words[0].split("-"))
                    self.ranges.append((start, end, os.path.basename(words[5].strip()) if len(words) > 5 else "anonymous memory"))

    def image(self, address):
        return next((name for start, end, name in self.ranges if start <= address - 1 < end), None)

    def call(self, address):
        """How the instruction before `address` calls: the address of what it names, 0 for one that it does not name, or None."""
        if self.image(address) is None:
            return None
        try:
            code = bytes(gdb.selected_inferior().read_memory(address - 7, 7))
        except gdb.error:
            return None
        if code[2] == 0xE8:
            return (address + int.from_bytes(code[3:], "little", signed=True)) & WORD
        if any(code[7 - n] == 0xFF and code[8 - n] & 0x38 == 0x10 for n in (2, 3, 4, 6, 7)):
            return 0
        return None

    def is_caller(self, caller, callee):
        """Whether `caller` is behind a call that led to `callee`: one that names its function, or names none or a stub."""
        if function(caller + 1) in NOT_CALLED:
            return True
        target = self.call(caller)
        if not target:
            return target is not None
        named, wanted = function(target + 1), function(callee)
        # Where a stub leads to is not told.
        return named in (wanted, "??") or named.endswith("@plt") or self.jumps(target, wanted)

    @functools.cache
    def jumps(self, start, wanted, hops=3):
        """Whether the function at `start` may go on to the one wanted by jumps instead of a call."""
        try:
            lines = gdb.execute(f"disassemble {start:#x}", to_string=True).splitlines()
        except gdb.error:
            return False
        for line in lines:
            words = line.split("jmp ")[1].split() if "jmp " in line else []
            if not words:
                continue
            if words[0].startswith("*"):
                return True
            target = int(words[0], 16)
            if function(target + 1) == wanted:
                return True
            if hops and function(target + 1) != function(start + 1) and self.jumps(target, wanted, hops - 1):
                return True
        return False


class Goroutine:
    """What Go itself has written down of the goroutine that a thread runs, when the thread is on the scheduler's stack."""

    def __init__(self):
        base = int(gdb.newest_frame().read_register("fs_base")) & WORD
        self.g0 = gdb.Value(self.word(base - 8)).cast(gdb.lookup_type("runtime.g").pointer())
        self.goroutine = self.g0["m"]["curg"]

    @staticmethod
    def word(address):
        return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address & WORD, 8)), "little")

    def callers(self, name):
        """The frames behind function `name`, innermost first, as far as the record goes; None where it says nothing."""
        if name == "runtime.systemstack":
            return [self.word(int(self.goroutine["sched"]["sp"]))]
        if name == "runtime.morestack":
            return [int(self.goroutine["sched"]["pc"]), self.word(int(self.goroutine["sched"]["sp"]))]
        return None

    def begins(self, name, sp):
        """Whether nothing follows the frame whose stack pointer is `sp`: mcall has pushed one word where the scheduler's stack begins,
        and behind morestack is a goroutine only until it has been left."""
        if name == "runtime.morestack":
            return int(self.goroutine) == 0
        return name == "runtime.mcall" and sp + 8 == int(self.g0["sched"]["sp"])


def by_go(callee, name, behind):
    """Whether Go's own record of the goroutine says that `behind` is what follows `callee`."""
    try:
        goroutine = Goroutine()
        if not behind:
            return goroutine.begins(name, callee.sp)
        callers = goroutine.callers(name)
        return bool(callers) and behind[: len(callers)] == callers
    except gdb.error:
        return False


def explanation(code, theirs, ours):
    """Why gdb's chain is not the stack, where something says so; None when nobody is known to be wrong but us."""
    frames = ours["frames"]
    first = next((i for i, (a, b) in enumerate(zip(theirs, frames)) if a.pc != b), min(len(theirs), len(frames)))
    if first == 0 or ours["result"].split()[0] not in ("complete", "guessed"):
        return None
    callee = theirs[first - 1]
    name = function(callee.pc)
    # Ours are held against the code from where the chains part.
    for index in range(first, len(frames)):
        if not code.is_caller(frames[index], frames[index - 1]):
            ours["doubt"] = index
            return None
    if by_go(callee, name, frames[first:]):
        return f"Go's own record of the goroutine: behind {name} {'follow our frames' if frames[first:] else 'the stack begins'}"
    if first == len(frames):
        return f"gdb goes on behind {name}: {OUTERMOST[name]}" if name in OUTERMOST else None
    goes_on = first < len(theirs)
    if goes_on and code.is_caller(theirs[first].pc, callee.pc):
        return None
    where = code.image(callee.pc)
    if goes_on:
        return f"gdb's caller of a function of {where} is behind no call; ours is, and so is all that follows"
    return f"gdb ends in {where}; ours is behind a call there, and so is all that follows"


def show(out, tid, theirs, ours, stopped):
    doubt = f"; in doubt: {ours['doubt']}" if "doubt" in ours else ""
    out.write(f"thread {tid}: ours {ours['result']}; gdb: {stopped}{doubt}\n")
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
            found[tid] = (thread, *gdb_chain())
            lines += f"{tid} {registers()}\n"
        chains = our_chains(pid, lines)
        code = Code(pid)
        for tid, (thread, theirs, stopped) in found.items():
            thread.switch()
            ours = chains[tid]
            # Behind the entry point lies the number of arguments, which is no code.
            while len(theirs) > 1 and code.image(theirs[-1].pc) is None and "_start" in [frame.name for frame in theirs]:
                theirs.pop()
            counts["compared"] += 1
            if [frame.pc for frame in theirs] == ours["frames"]:
                counts["equal"] += 1
                counts["frames"] += len(theirs)
                counts["guessed"] += ours["result"].startswith("guessed")
                continue
            why = explanation(code, theirs, ours)
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
