/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* One step of the unwinder. Whoever drives it calls it until it returns 1, or UNWIND_MAX_STEPS times. */
#ifndef PYROREC_UNWIND_STEP_H
#define PYROREC_UNWIND_STEP_H

#include "../interpreters/interpreters.h"
#include "remember.h"
#include "search.h"

/* A word of a scan: is it a return address? */
UNWIND_INLINE int unwind_judge_word(
	environment env, struct unwinder *u, const struct pyrorec_unwind_mapping *mapping, u64 word)
{
	u64 address = u->scan_address;

	u->scan_address = address + 8;
	if (!mapping || !unwind_is_behind_call(env, mapping, word, u->state.pc))
		return 0;
	unwind_note_guess(u, PYROREC_GUESS_RETURN_ADDRESS);
	u->scan_pc = u->state.pc;
	u->scan_fp = u->state.fp;
	u->scan_frame = u->frame_count;
	u->can_scan_on = 1;
	u->state.pc = word;
	u->state.sp = address + 8;
	u->state.flags = PYROREC_STATE_RETURN_ADDRESS;
	u->mode = UNWIND_STEP;
	return 0;
}

/* `pc` lies in no mapping. */
UNWIND_INLINE int unwind_without_mapping(environment env, struct unwinder *u)
{
	if (u->mode == UNWIND_CHECK_GUESS)
		return unwind_begin_scan(u);
	if (unwind_is_disproven(u, 0))
		return 0;
	if (u->can_scan_on) {
		/* It was something that an earlier call left there. */
		u->can_scan_on = 0;
		u->state.pc = u->scan_pc;
		u->state.fp = u->scan_fp;
		u->frame_count = u->scan_frame;
		return unwind_begin_scan(u);
	}
	if (u->stops_at_unknown)
		return unwind_end(u, PYROREC_UNWIND_NO_MAPPING);
	/* A caller that is no code was found by a wrong rule. */
	if (u->frame_count)
		return unwind_end(u, PYROREC_UNWIND_NO_MAPPING);
	/* Somebody called what is no code: where to return to is on top of the stack. */
	environment_push(env, 0, u->state.pc);
	u->frame_count = 1;
	u->reason = PYROREC_UNWIND_NO_MAPPING;
	u->scan_address = u->state.sp;
	return unwind_begin_scan(u);
}

UNWIND_INLINE int unwind_step(environment env, struct unwinder *u)
{
	struct pyrorec_unwind_state *s = &u->state;
	const struct unwind_remembered *known = 0;
	const struct pyrorec_unwind_mapping *mapping;
	u64 word = 0, address = s->pc;
	u32 count = u->frame_count;
	int found = 0, runs_interpreter;

	if (u->mode == UNWIND_INTERPRETER)
		return interpreter_step(env, u);
	/* Whether a caller that was searched for is the right one the long way finds out. */
	if (u->mode == UNWIND_STEP && !u->is_unproven) {
		found = unwind_quickly(env, u);
		if (found >= 0)
			return found;
		count = u->frame_count;
	}
	if (u->mode == UNWIND_SCAN) {
		if (!u->scans_left)
			return unwind_end(u, u->reason);
		u->scans_left -= 1;
		if (unwind_word(env, u, u->scan_address, &word))
			return unwind_end(u, u->reason);
		address = word - 1;
	} else if (u->mode == UNWIND_SWITCH) {
		/* A goroutine that has been left may run elsewhere by now, or its frame pointer is not there: this stack begins here. */
		if (!u->switch_left)
			return u->switch_grows ? unwind_end(u, PYROREC_UNWIND_COMPLETE) : unwind_by_frame_pointer(env, u);
		u->switch_left -= 1;
		if (unwind_word(env, u, u->scan_address, &word))
			word = 0;
		address = word - 1;
	} else {
		address = s->pc - (s->flags & PYROREC_STATE_RETURN_ADDRESS);
		known = unwind_recall(env, u, address);
		/* The interpreter was found since: remembered anew. */
		if (known && known->interpreter != u->python.tag)
			known = 0;
	}
	if (known) {
		found = known->meaning & 0xffff;
	} else {
		mapping = unwind_mapping_at(env, u, address);
		if (u->mode == UNWIND_SCAN)
			return unwind_judge_word(env, u, mapping, word);
		if (u->mode == UNWIND_SWITCH)
			return unwind_judge_switch(env, u, mapping, word);
		if (!mapping)
			return unwind_without_mapping(env, u);
		found = unwind_rule_at(env, mapping, address);
		if (found >= 0)
			unwind_remember(env, u, address, found);
	}
	if (u->mode == UNWIND_CHECK_GUESS) {
		unwind_note_guess(u, PYROREC_GUESS_FRAME_POINTER);
		u->mode = UNWIND_STEP;
	}
	if (found < 0)
		return unwind_end(u, PYROREC_UNWIND_TABLES_PENDING);
	if (count >= (u->python.is_there ? PYROREC_MAX_USER_WORDS : PYROREC_MAX_USER_FRAMES))
		return unwind_end(u, PYROREC_UNWIND_TRUNCATED_BY_DEPTH);
	runs_interpreter = interpreter_runs_at(u, address);
	if (!runs_interpreter) {
		environment_push(env, count, s->pc);
		u->frame_count = count + 1;
	}
	word = s->pc;
	found = unwind_by_number(env, u, found);
	return runs_interpreter ? interpreter_begin(u, word, found) : found;
}

#endif
