/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Across a switch of stacks. Go's systemstack runs a function on the thread's own stack and leaves the frame pointer as its
 * caller had it, on the goroutine's. The caller has pushed where it goes on below its frame, which ends two words above the
 * frame pointer; so a word there counts when it is behind a call of systemstack and its own rule leads to that very end.
 *
 * Go's morestack does so for a function that has no frame yet, which wants a larger stack: the frame pointer is that of its caller,
 * so the rule of that one leads to the end.
 */
#ifndef PYROREC_UNWIND_SWITCH_H
#define PYROREC_UNWIND_SWITCH_H

#include "memory.h"

/* How long the code is that switches. */
#define UNWIND_SWITCH_FUNCTION 256

UNWIND_INLINE int unwind_by_frame_pointer(environment env, struct unwinder *u)
{
	struct pyrorec_unwind_state *s = &u->state;
	u64 fp = s->fp, pc;

	u->mode = UNWIND_STEP;
	if (unwind_word(env, u, fp, &s->fp) || unwind_word(env, u, fp + 8, &pc))
		return unwind_end(u, environment_unreadable(env, fp));
	return unwind_return(u, pc, fp + 16);
}

/* `grows` is 1 for morestack, else 0. */
UNWIND_INLINE int unwind_begin_switch(struct unwinder *u, u32 grows)
{
	u->switch_grows = grows;
	u->switch_pc = u->state.pc;
	u->switch_fp = u->state.fp;
	u->switch_frame = u->frame_count;
	/* The window is read upwards. */
	u->scan_address = u->state.fp - 8 * (u64)u->switch_left;
	u->mode = UNWIND_SWITCH;
	return 0;
}

UNWIND_INLINE int unwind_judge_switch(
	environment env, struct unwinder *u, const struct pyrorec_unwind_mapping *mapping, u64 word)
{
	struct pyrorec_unwind_state *s = &u->state;
	/* What grows stacks is also jumped to, from what lies behind it. */
	u64 code, behind = u->switch_grows ? UNWIND_SWITCH_FUNCTION : 0;

	u->scan_address += 8;
	if (!mapping || s->pc < mapping->begin || s->pc >= mapping->end)
		return 0;
	/* CALL rel32. */
	if (environment_read_code(env, &code, 8, word - 8) || (code >> 24 & 0xff) != 0xe8)
		return 0;
	if (s->pc - (word + ((s64)code >> 32)) + behind >= UNWIND_SWITCH_FUNCTION + behind)
		return 0;
	s->pc = word;
	s->sp = u->scan_address;
	s->flags = PYROREC_STATE_RETURN_ADDRESS;
	u->is_unproven = 1;
	u->mode = UNWIND_STEP;
	return 0;
}

/* 1 when the frame that ends at `cfa` is not the one that called: then the search goes on. */
UNWIND_INLINE int unwind_is_disproven(struct unwinder *u, u64 cfa)
{
	u32 frame = u->is_unproven;

	if (!frame)
		return 0;
	u->is_unproven = 0;
	if (frame == 1 && u->switch_grows) {
		if (cfa == u->state.sp + 8) {
			u->is_unproven = 2;
			return 0;
		}
	} else if (cfa == u->switch_fp + 16) {
		return 0;
	}
	u->state.pc = u->switch_pc;
	u->state.fp = u->switch_fp;
	u->frame_count = u->switch_frame;
	u->mode = UNWIND_SWITCH;
	return 1;
}

#endif
