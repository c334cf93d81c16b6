/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What the kernel side writes and the recorder reads: the one definition of both.
 * Little and big structures alike are made of naturally aligned fields with no holes, so that
 * the layout is the same for the bpf target and for every host.
 */
#ifndef PYROREC_ABI_H
#define PYROREC_ABI_H

#include <linux/types.h>
#include "pyrorec_layout.h"
#include "pyrorec_interpreter.h"

/* Frames kept of a kernel stack, and of any stack that the kernel walks: what it keeps itself by default
   (kernel.perf_event_max_stack). */
#define PYROREC_MAX_FRAMES 127

/* Frames kept of a user stack that is unwound by tables; in a process that runs an interpreter, words (pyrorec_interpreter.h). */
#define PYROREC_MAX_USER_FRAMES 1024
#define PYROREC_MAX_USER_WORDS 8192

/* Bytes of stack that a sample carries at most when its tables are not there yet; less when the ring buffer fills up. */
#define PYROREC_STACK_COPY_BYTES 65536

/* Cgroups that one recording can be limited to. */
#define PYROREC_MAX_CGROUPS 16

/* Processes that one recording can be limited to, their children counted. */
#define PYROREC_MAX_TARGETS 16384

enum pyrorec_event_kind {
	PYROREC_EVENT_SAMPLE = 1,
};

/* How the user stack was found; the trace keeps the same numbers (docs/trace-format.md, "unwind result"). */
enum pyrorec_unwind_result {
	PYROREC_UNWIND_COMPLETE = 0,
	PYROREC_UNWIND_FRAME_POINTERS = 1,
	PYROREC_UNWIND_TRUNCATED_BY_DEPTH = 2,
	PYROREC_UNWIND_READ_FAULT = 3,
	PYROREC_UNWIND_TABLES_PENDING = 4,
	PYROREC_UNWIND_NO_MAPPING = 5,
	PYROREC_UNWIND_NO_ROW = 6,
	PYROREC_UNWIND_UNSUPPORTED_RULE = 7,
	PYROREC_UNWIND_GUESSED = 8,
	PYROREC_UNWIND_COMPAT32 = 9,
	PYROREC_UNWIND_NO_REGISTERS = 10,
	/* The image has no unwind information, or the code has no image. */
	PYROREC_UNWIND_NO_TABLE = 11,
	/* Unwound while the process changed its mappings: what lay behind the change is left out. */
	PYROREC_UNWIND_STALE_MAPPINGS = 12,
};

/* State of a process that the recording is limited to. */
enum pyrorec_target_state {
	PYROREC_TARGET_ACTIVE = 1,
	/* A command that was forked and has not yet executed: its samples would show the recorder. */
	PYROREC_TARGET_AWAITS_EXEC = 2,
};

/*
 * One sample. `words` holds user_frames words (addresses, innermost first, and the frames of interpreters, of two words
 * each), kernel_frames addresses (innermost first), then extra_words 64-bit words that belong to what `extra_kind` names
 * (registers and stack bytes): 0 for none.
 */
struct pyrorec_sample {
	__u16 kind;
	__u8 result;
	__u8 extra_kind;
	__u16 user_frames;
	__u16 kernel_frames;
	__u32 extra_words;
	__u32 cpu;
	__u32 pid;
	__u32 tid;
	__u32 event;
	/* PYROREC_GUESS_… bits, why the first guess was made (a result), and the first frame that was guessed. */
	__u8 guesses;
	__u8 guess_reason;
	__u16 first_guess;
	/* CLOCK_MONOTONIC, nanoseconds. */
	__u64 time;
	/* Of the process (its first thread): CLOCK_BOOTTIME, nanoseconds. */
	__u64 start_time;
	/* Periods of the event that this sample stands for. */
	__u64 weight;
	/* Of the address space that the user stack was unwound in; 0 for none. */
	__u64 generation;
	__u64 words[PYROREC_MAX_USER_WORDS + PYROREC_MAX_FRAMES + 1 + PYROREC_KEPT_WORDS + PYROREC_STATE_WORDS
		    + PYROREC_STACK_COPY_BYTES / 8];
};

#define PYROREC_SAMPLE_HEADER_BYTES 64

/* Indices into the per-CPU counters. */
enum pyrorec_counter {
	/* Samples that were to be kept. */
	PYROREC_COUNTER_TAKEN = 0,
	/* Of those, samples for which the ring buffer had no room. */
	PYROREC_COUNTER_LOST = 1,
	PYROREC_COUNTER_COUNT = 2,
};

/* Addresses that are asked for at a time, and bytes for each answer with its NUL; KSYM_NAME_LEN is 512. */
#define PYROREC_NAME_SLOTS 32
#define PYROREC_NAME_BYTES 640

/* What the recorder asks of on_names, and the answers. */
struct pyrorec_kernel_names {
	/* 1: _stext and _etext as well. 0 where the kernel hides its addresses. */
	__u32 wants_text;
	__u32 count;
	__u64 text_start;
	__u64 text_end;
	__u64 addresses[PYROREC_NAME_SLOTS];
	char names[PYROREC_NAME_SLOTS][PYROREC_NAME_BYTES];
};

#define PYROREC_NAMES_HEADER_BYTES 24

/* Set once, before the program is loaded. */
struct pyrorec_settings {
	/* 1: only processes in the map of targets. */
	__u32 filter_processes;
	/* So many entries of the map of cgroups are to be asked; 0 for no such filter. */
	__u32 filter_cgroups;
	/* Bytes waiting in the ring buffer at which the recorder is woken. */
	__u64 wakeup_bytes;
	/* The recorder itself, which is not sampled when `filter_self` is 1. */
	__u32 self_pid;
	__u32 filter_self;
	/* 1: every sample carries the registers and the stack that it was unwound from. */
	__u32 copies_stacks;
	__u32 reserved;
};

#endif
