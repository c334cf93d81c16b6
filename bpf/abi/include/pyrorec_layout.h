/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * How tables and address spaces lie in memory that the recorder writes and the unwinder reads, in the kernel and on the
 * host. What is published never changes: a changed address space is written anew, given a new generation, and only then
 * do its processes point to it; only the tables of its mappings come and go. What nobody points to any more is used again after every running sample has ended.
 */
#ifndef PYROREC_LAYOUT_H
#define PYROREC_LAYOUT_H

#include <linux/types.h>
#include "pyrorec_unwind.h"

/* Rows lie in chunks, so that a number masked by a constant is always inside; a page's rows never cross a chunk's end. */
#define PYROREC_CHUNK_ROWS 65536
/* 4 GiB of code. */
#define PYROREC_MAX_PAGES (1 << 16)
/* So many a page, of equal size: to find a row is to look among a few dozen that lie together. */
#define PYROREC_PAGE_PARTS 27
/* 4 MiB of them, what kernels before 6.2 allow one value to be. */
#define PYROREC_MAX_MAPPINGS (1 << 17)
#define PYROREC_MAX_RULES 16384
#define PYROREC_MAX_UNWIND_PROCESSES 65536

struct pyrorec_unwind_chunk {
	__u32 rows[PYROREC_CHUNK_ROWS];
};

/* One 64 KiB page of an image's virtual addresses, in one line of the CPU's cache. */
struct pyrorec_unwind_page {
	/* The index of its first row among all rows. */
	__u32 first;
	/* The rule in force where the page begins, before its first row. */
	__u16 before;
	/* The recorder sets it to 0, a search to 1. */
	__u16 touched;
	/*
	 * How many of the page's rows begin before every part, the first of which is that of offset 0, and how many there are.
	 * `offset * PYROREC_PAGE_PARTS >> 16` is an offset's part.
	 */
	__u16 starts[PYROREC_PAGE_PARTS + 1];
};

/* A mapping's `table` when it has no pages. */
enum pyrorec_unwind_absence {
	/* The table is being built, or was put out for want of room. */
	PYROREC_ABSENCE_PENDING = 0,
	/* The image has no unwind information. */
	PYROREC_ABSENCE_NO_TABLE = 1,
	/* Memory without a file: code made at run time. */
	PYROREC_ABSENCE_ANONYMOUS = 2,
};

/* An executable mapping. Those of one address space lie together, ascending, none overlapping another. */
struct pyrorec_unwind_mapping {
	__u64 begin;
	__u64 end;
	/* What to subtract from an address for the offset into the pages. */
	__u64 bias;
	/*
	 * Its pages: the first one's index in the low 32 bits, how many above them. One word, because it is the one thing that
	 * changes after publication: tables come, after `bias`, and go.
	 */
	__u64 table;
};

struct pyrorec_unwind_mappings {
	struct pyrorec_unwind_mapping entry[PYROREC_MAX_MAPPINGS];
};

/* By process id: the address space it runs in. */
struct pyrorec_unwind_process {
	__u32 first;
	__u32 count;
	/* Never given twice, less than 2^48; the kernel side sets it to 0 when the process has begun to change. */
	__u64 generation;
};

/* DWARF's numbers, as far as rules name them: all 16 general registers of x86-64, x0 to x30 of aarch64. */
#define PYROREC_NUMBERED_REGISTERS 32

/* Where a thread stands, or one of its callers. */
struct pyrorec_unwind_state {
	__u64 pc;
	__u64 sp;
	__u64 fp;
	/* aarch64's x30; 0 on x86-64. */
	__u64 lr;
	__u64 numbered[PYROREC_NUMBERED_REGISTERS];
	/* PYROREC_STATE_… */
	__u64 flags;
};

/* `pc` is behind a call or a system call: the instruction that counts is the one before it. */
#define PYROREC_STATE_RETURN_ADDRESS 1
/* `lr` and `numbered` hold: the innermost frame, or one that a signal interrupted. */
#define PYROREC_STATE_REGISTERS 2

/* `extra_kind` of a sample: a struct pyrorec_unwind_state, then a copy of the stack from its `sp` rounded down to 8. */
#define PYROREC_EXTRA_STACK 1
/* The same of the innermost frame, whatever was found by now. */
#define PYROREC_EXTRA_WHOLE_STACK 2
/* PYROREC_EXTRA_STACK behind a number of words and so many words: an interpreter's frames that the unwinder did not come to. */
#define PYROREC_EXTRA_FRAMES_AND_STACK 3
#define PYROREC_STATE_WORDS (sizeof(struct pyrorec_unwind_state) / 8)

/* How callers were found where the tables did not say. */
#define PYROREC_GUESS_FRAME_POINTER 1
#define PYROREC_GUESS_RETURN_ADDRESS 2

#endif
