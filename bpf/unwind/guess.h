/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What is left where the tables say nothing: the frame pointer, if what it points to looks like a frame; else the first
 * word of the stack that is a return address. Both are guesses, and said to be.
 */
#ifndef PYROREC_UNWIND_GUESS_H
#define PYROREC_UNWIND_GUESS_H

#include "memory.h"

/* A frame pointer farther up the stack than this points to no frame of this stack. */
#define UNWIND_GUESS_REACH (1 << 20)

UNWIND_INLINE void unwind_note_guess(struct unwinder *u, u32 kind)
{
	if (!u->guesses) {
		u->first_guess = u->frame_count;
		u->guess_reason = u->reason;
	}
	u->guesses |= kind;
}

UNWIND_INLINE int unwind_begin_scan(struct unwinder *u)
{
	u->mode = UNWIND_SCAN;
	return 0;
}

/* Goes on by a guess, because of `reason`. */
UNWIND_ASIDE int unwind_guess(environment env, struct unwinder *u, u32 reason)
{
	struct pyrorec_unwind_state *s;
	u64 fp, caller_fp, pc;

	if (!env || !u)
		return 1;
	s = &u->state;
	fp = s->fp;

	u->reason = reason;
	u->can_scan_on = 0;
	u->scan_address = (s->sp + 7) & ~7ull;
	if ((fp & 7) || fp - s->sp >= UNWIND_GUESS_REACH)
		return unwind_begin_scan(u);
	if (unwind_word(env, u, fp, &caller_fp) || unwind_word(env, u, fp + 8, &pc))
		return unwind_begin_scan(u);
	if (!caller_fp && !pc) {
		unwind_note_guess(u, PYROREC_GUESS_FRAME_POINTER);
		return unwind_end(u, PYROREC_UNWIND_COMPLETE);
	}
	/* The outermost frame's is 0 by the ABI; any other lies farther up. */
	if (caller_fp && (caller_fp <= fp || caller_fp & 7))
		return unwind_begin_scan(u);
	s->pc = pc;
	s->sp = fp + 16;
	s->fp = caller_fp;
	s->flags = PYROREC_STATE_RETURN_ADDRESS;
	u->mode = UNWIND_CHECK_GUESS;
	return 0;
}

/* How far into a function we may be. */
#define UNWIND_GUESS_FUNCTION (1 << 17)

/*
 * Whether the instruction before `address` is a call that may have led to `pc`. A call inside one image names the function it
 * calls, so most of what calls left on the stack is told from the one that counts; calls into other images go through stubs.
 */
UNWIND_INLINE int unwind_is_behind_call(
	environment env, const struct pyrorec_unwind_mapping *mapping, u64 address, u64 pc)
{
	int is_inside = pc >= mapping->begin && pc < mapping->end;
	u64 target;
#if defined(__TARGET_ARCH_arm64)
	u32 code;
	if (environment_read_code(env, &code, 4, address - 4))
		return 0;
	/* BL imm26. */
	if ((code & 0xfc000000) == 0x94000000) {
		target = address - 4 + ((s64)((u64)code << 38) >> 36);
		return !is_inside || pc - target < UNWIND_GUESS_FUNCTION;
	}
	/* BLR and its authenticating kin. */
	return (code & 0xfefff000) == 0xd63f0000;
#else
	u64 code;
	if (environment_read_code(env, &code, 8, address - 8))
		return 0;
	/* CALL rel32. */
	if ((code >> 24 & 0xff) == 0xe8) {
		target = address + ((s64)code >> 32);
		return !is_inside || pc - target < UNWIND_GUESS_FUNCTION;
	}
	/* CALL r/m64, FF /2, of two, three, four, six and seven bytes. */
#define UNWIND_IS_INDIRECT_CALL(length) ((code >> (8 * (8 - (length))) & 0x38ff) == 0x10ff)
	return UNWIND_IS_INDIRECT_CALL(2) || UNWIND_IS_INDIRECT_CALL(3) || UNWIND_IS_INDIRECT_CALL(4) ||
	       UNWIND_IS_INDIRECT_CALL(6) || UNWIND_IS_INDIRECT_CALL(7);
#undef UNWIND_IS_INDIRECT_CALL
#endif
}

#endif
