/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The unwinder: finds the callers of a thread by tables (pyrorec_unwind.h), one small step at a time. The same code runs in
 * the sampler and on the host; whoever includes it defines, before that, an `environment` and how memory is reached:
 *
 *   typedef … environment;                 handed through, never looked into
 *   int environment_read(environment, void *to, u32 bytes, u64 address)              0 when all of it could be read
 *   void environment_use(environment, u64 address, u32 bytes)                        so much of the stack counts
 *   int environment_read_code(environment, void *to, u32 bytes, u64 address)         the same, of what does not change
 *   u32 environment_unreadable(environment, u64 address)                             the result when a stack word is not there
 *   const struct pyrorec_unwind_mapping *environment_mapping(environment, u32 index)
 *   struct pyrorec_unwind_page *environment_page(environment, u32 index)
 *   const struct pyrorec_unwind_chunk *environment_chunk(environment, u32 index)
 *   const struct pyrorec_unwind_rule *environment_rule(environment, u32 index)       these four: null when there is none
 *   struct unwind_remembered *environment_remembered(environment, u64 address)       the two that the address may be among
 *   void environment_push(environment, u32 index, u64 word)                          index < PYROREC_MAX_USER_WORDS
 *
 * and what bpf/interpreters/interpreters.h asks for.
 */
#ifndef PYROREC_UNWINDER_H
#define PYROREC_UNWINDER_H

#include "pyrorec_abi.h"

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define UNWIND_INLINE static inline __attribute__((always_inline))
/*
 * What is seldom needed stands once, out of the way: code that is run must come into the caches first. In the kernel it is a
 * global function, which the verifier looks at once by itself, whoever calls it and in whatever state: a program that is one
 * piece takes it several times as long. Of the pointers it is handed it knows there what they point to, if not null.
 */
#if defined(__bpf__)
#define UNWIND_ASIDE __attribute__((noinline))
#else
#define UNWIND_ASIDE static __attribute__((noinline))
#endif

/*
 * Searches compute with a sign instead of branching: where the verifier would follow both ways of every branch of every
 * step, there is one way. An empty asm keeps the compiler from making branches of it again.
 */
#define UNWIND_OPAQUE(value) __asm__ volatile("" : "+r"(value))

/* A number whose highest bit is set when a < b, for numbers below 2^63. */
UNWIND_INLINE u64 unwind_less(u64 a, u64 b)
{
	u64 difference = a - b;
	UNWIND_OPAQUE(difference);
	return difference;
}

/*
 * `step` when the highest bit of `condition` is set, else 0. A multiplication: kernels from 6.18 look at an arithmetic shift
 * that is followed by an "and" as the branch that it stands for, and follow both ways of it.
 */
UNWIND_INLINE u64 unwind_if(u64 condition, u64 step)
{
	u64 bit = condition >> 63;
	UNWIND_OPAQUE(bit);
	return step * bit;
}

/* What is read after it is read after it: aarch64 and the compiler may see it otherwise. BPF has no such fence for loads. */
#if defined(__bpf__)
#define UNWIND_ACQUIRE() __asm__ volatile("" : : : "memory")
#else
#define UNWIND_ACQUIRE() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

/*
 * A word wherever it lies. Both machines' kernels let a program read it as it is; where the compiler is not told so, it puts it
 * together of eight bytes.
 */
UNWIND_INLINE u64 unwind_load(const u8 *bytes)
{
#if defined(__bpf__)
	typedef u64 __attribute__((may_alias)) word;
	return *(const word *)bytes;
#else
	u64 value;
	__builtin_memcpy(&value, bytes, 8);
	return value;
#endif
}

/* Stack bytes read at a time. */
#define UNWIND_WINDOW_BYTES 4096
/* Less than this is not worth a read of its own. */
#define UNWIND_WINDOW_LEAST 1024
/* Words looked at for return addresses, in one sample. */
#define UNWIND_SCAN_WORDS 256
/* Words below the frame pointer looked at for the call that switched stacks, in one sample. */
#define UNWIND_SWITCH_WORDS 64
/* Thread states of an interpreter that are looked at for one thread. */
#define UNWIND_PYTHON_THREADS_LIMIT 1024
/* Steps in one sample: frames, words of scans, an interpreter's thread states. */
#define UNWIND_MAX_STEPS \
	(PYROREC_MAX_USER_WORDS + UNWIND_SCAN_WORDS + UNWIND_SWITCH_WORDS + UNWIND_PYTHON_THREADS_LIMIT + 8)
/* Room for a page of an interpreter's frames, and one that begins at its end. A power of two. */
#define UNWIND_PYTHON_WINDOW 8192
#define UNWIND_PYTHON_FILES 16
/* Code that was the same for so long is looked at again after so much time: nanoseconds. */
#define UNWIND_PYTHON_SETTLED 1000000000ull
#define UNWIND_PYTHON_CHECK 100000000ull
/* A thread's stack is not larger than this where what lies above it matters. */
#define UNWIND_GUESS_STACK (1ull << 30)

/* Rule numbers for what has no table, next to those of pyrorec_unwind.h. */
#define UNWIND_RULE_NO_TABLE 7

/* What an address was found to mean. A generation is never given twice, so one of another generation can never match. */
struct unwind_remembered {
	u64 address;
	/* The generation from bit 16 on, below it the number of the rule. */
	u64 meaning;
	/*
	 * The rule itself, when it is of the plain kind: the CFA an offset from the stack or the frame pointer, the return address
	 * and, if it is saved, the frame pointer at offsets from it.
	 */
	__s32 cfa_offset;
	__s32 ra_offset;
	__s32 fp_offset;
	u8 is_plain;
	u8 cfa_is_fp;
	u8 saves_fp;
	/* `python.tag` when it was found: a frame that runs the interpreter is never plain. */
	u8 interpreter;
};

enum unwind_mode {
	/* Find the rule for `state.pc` and step to the caller. */
	UNWIND_STEP = 0,
	/* The same, and `state` was guessed from the frame pointer. */
	UNWIND_CHECK_GUESS = 1,
	/* Look at one word of the stack: is it a return address? */
	UNWIND_SCAN = 2,
	/* Look at one word below the frame pointer: is it behind the call that switched stacks? */
	UNWIND_SWITCH = 3,
	/* Take one frame of the interpreter that the native frame above ran. */
	UNWIND_INTERPRETER = 4,
};

/* The call of an interpreter whose frames are being taken. */
struct unwind_interpreter {
	/* The native frame that ran it, and where its caller's frame begins. */
	u64 pc;
	u64 limit;
	/* How to go on behind it. */
	u32 mode;
	u32 ended;
	/* Words pushed before it. */
	u32 first;
	u32 reserved;
};

enum unwind_python_phase {
	UNWIND_PYTHON_BEGIN = 1,
	UNWIND_PYTHON_THREADS = 2,
	UNWIND_PYTHON_FRAMES = 3,
};

/* A code object that was seen, in samples before too. */
struct unwind_python_code {
	u64 code;
	u64 cookie;
	/* The last sample it was in, and the address space. */
	u64 sample;
	u64 generation;
	/* The word with its version (3.12 and later). */
	u64 version;
	/* Since when it is there, when it was looked at last, and whether that was before this sample: nanoseconds. */
	u64 since;
	u64 checked;
	u64 unchecked;
};

/* The name of a file that was looked at in that sample. */
struct unwind_python_file {
	u64 file;
	u64 sum;
	u64 sample;
};

struct unwind_python {
	struct pyrorec_python_process process;
	/* Whether the process runs CPython; the rest is of no meaning where it does not. */
	u32 is_there;
	u32 phase;
	u32 failed;
	/* Whether a frame runs code that nobody may have read yet. */
	u32 has_news;
	/*
	 * Stands for where the interpreter's code lies; 0 for no interpreter. That is known a moment after the mappings are, without
	 * a new generation.
	 */
	u32 tag;
	u32 threads_left;
	/* Never given twice on this CPU. */
	u64 sample;
	/* pthread_self(), and where the search for its thread state stands. */
	u64 self;
	u64 thread;
	u64 interpreter;
	/* The next frame, and the first of this call. */
	u64 frame;
	u64 first;
	/* The thread state they are of. */
	u64 taken;
	/* A thread that is in a sub-interpreter has a thread state of each: where the outer one's frames go on. */
	u64 outer;
	u64 outer_cframe;
	u32 asked_for_others;
	/* Whether frames are no longer put into the stack but kept. */
	u32 keeps;
	/* Of the innermost call, on its stack (3.11, 3.12); 0 where there is none. */
	u64 cframe;
	u64 window_base;
	u64 window_bytes;
	u8 bytes[PYROREC_PYTHON_BYTES + 8];
	u8 window[UNWIND_PYTHON_WINDOW + PYROREC_PYTHON_BYTES + 8];
	struct unwind_python_file files[UNWIND_PYTHON_FILES];
};

struct unwinder {
	struct pyrorec_unwind_state state;
	/* The address space: a slice of the mappings. */
	u64 generation;
	u32 first_mapping;
	u32 mapping_count;
	/* Where an address was found last, among `mapping_count`: most callers are in the same image. */
	u32 last_mapping;
	u32 mode;
	u32 frame_count;
	/* Whether to stop at an address without mapping, because somebody who knows newer ones goes on from there. */
	u32 stops_at_unknown;
	u32 scans_left;
	/* Where a scan goes on. */
	u64 scan_address;
	/* Where the last one began, for when the word it took for a return address turns out to lead nowhere. */
	u64 scan_pc;
	u64 scan_fp;
	u32 scan_frame;
	u32 can_scan_on;
	u32 reserved32;
	/* enum pyrorec_unwind_result: how it ended; why the last guess was made. */
	u8 result;
	u8 reason;
	/* As in struct pyrorec_sample. */
	u8 guesses;
	u8 guess_reason;
	u16 first_guess;
	u16 reserved;
	/*
	 * Where stacks were switched, whether to grow one, and whether `state` is a caller of it, the first or the second one, that
	 * its own rule has yet to bear out.
	 */
	u64 switch_pc;
	u64 switch_fp;
	u32 switch_frame;
	u16 switch_left;
	u16 is_unproven;
	u32 switch_grows;
	u32 reserved_switch;
	u64 window_base;
	/* A word that begins less than this behind the base is in the window with all of it; 0 when there is none. */
	u64 window_reach;
	u8 window[UNWIND_WINDOW_BYTES + 8];
	struct unwind_interpreter interpreter;
	struct unwind_python python;
};

UNWIND_INLINE void unwind_begin(struct unwinder *u)
{
	u->mode = UNWIND_STEP;
	u->frame_count = 0;
	u->last_mapping = 0;
	u->stops_at_unknown = 0;
	u->scans_left = UNWIND_SCAN_WORDS;
	u->can_scan_on = 0;
	u->result = PYROREC_UNWIND_TRUNCATED_BY_DEPTH;
	u->reason = 0;
	u->guesses = 0;
	u->guess_reason = 0;
	u->first_guess = 0;
	u->switch_left = UNWIND_SWITCH_WORDS;
	u->is_unproven = 0;
	u->switch_grows = 0;
	u->window_base = 0;
	u->window_reach = 0;
	u->python.is_there = 0;
	u->python.tag = 0;
	u->python.has_news = 0;
	u->python.keeps = 0;
}

/* The process runs CPython, as described in `python.process`. */
UNWIND_INLINE void unwind_begin_python(struct unwinder *u)
{
	struct unwind_python *python = &u->python;

	python->is_there = 1;
	python->tag = (python->process.begin[0] >> 12 & 0xff) | 1;
	python->phase = 0;
	python->failed = 0;
	python->sample += 1;
	python->frame = 0;
	python->outer = 0;
	python->asked_for_others = 0;
	python->window_base = 0;
	python->window_bytes = 0;
}

/* Every step ends in 0 to go on or 1 when `result` says how it ended. */
UNWIND_INLINE int unwind_end(struct unwinder *u, u32 result)
{
	u->result = result == PYROREC_UNWIND_COMPLETE && u->guesses ? PYROREC_UNWIND_GUESSED : result;
	return 1;
}

#endif
