/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The unwinder of the sampler, run in user space over registers, a copy of the stack and tables in memory. */
#ifndef PYROREC_UNWIND_HOST_H
#define PYROREC_UNWIND_HOST_H

#include "pyrorec_abi.h"

/* A piece of the process's memory. */
struct pyrorec_host_region {
	__u64 address;
	const __u8 *bytes;
	__u64 count;
};

/* All that an unwinding may look at; nothing of it is trusted, and nothing outside of it is read. */
struct pyrorec_host_memory {
	const struct pyrorec_unwind_chunk *chunks;
	__u64 chunk_count;
	/* `touched` is set where a search came by. */
	struct pyrorec_unwind_page *pages;
	__u64 page_count;
	const struct pyrorec_unwind_rule *rules;
	__u64 rule_count;
	/* The address space: ascending, none overlapping another. */
	const struct pyrorec_unwind_mapping *mappings;
	__u64 mapping_count;
	const __u8 *stack;
	__u64 stack_address;
	__u64 stack_bytes;
	/* Code, which the scan for return addresses looks at, is read from this process; 0 for nowhere. Its stack is not: by now
	   it is another one. */
	__s32 process;
	/* Unless the process stands still: then whatever is not in the copy is read from it too. */
	__s32 is_standing;
	/* Of an interpreter; null for none. What it reads of the process lies in the regions. */
	const struct pyrorec_python_process *python;
	const struct pyrorec_host_region *regions;
	__u64 region_count;
	/* What pthread_self() was. */
	__u64 thread_pointer;
	/* Or what the sampler kept of the interpreter's frames: the structure of the innermost call, and two words a frame, its
	   address and the one that stands for it in `frames`, 0 where it runs no code. Then no memory is read for them. */
	const __u64 *kept;
	__u64 kept_count;
	__u64 kept_cframe;
};

struct pyrorec_host_frames {
	/* enum pyrorec_unwind_result */
	__u8 result;
	/* As in struct pyrorec_sample. */
	__u8 guesses;
	__u8 guess_reason;
	__u8 reserved;
	__u16 first_guess;
	__u16 reserved2;
	__u32 count;
	/* Bytes of the stack up to the end of the last word that was looked at. */
	__u64 stack_used;
	/* Where it ended: to go on from there when the result is PYROREC_UNWIND_TABLES_PENDING. */
	struct pyrorec_unwind_state state;
};

/*
 * Finds `state` and its callers, innermost first: `frames` holds PYROREC_MAX_USER_WORDS words, of which the first
 * `found->count` are there already and stay. By the rules of one machine each, whatever the machine this runs on.
 */
void pyrorec_unwind_x86(const struct pyrorec_host_memory *memory, const struct pyrorec_unwind_state *state, __u64 *frames,
			struct pyrorec_host_frames *found);
void pyrorec_unwind_arm64(const struct pyrorec_host_memory *memory, const struct pyrorec_unwind_state *state, __u64 *frames,
			  struct pyrorec_host_frames *found);

/* Changes which pages a mapping has, for an unwinder that may be running: what was written before is seen by whoever sees it. */
void pyrorec_publish_table(struct pyrorec_unwind_mapping *mapping, __u64 table);

/* Reads another process's memory (process_vm_readv(2)): the bytes read, less than `bytes` where they are not all there. */
long pyrorec_read_process(__s32 process, void *to, __u64 bytes, __u64 address);

#endif
