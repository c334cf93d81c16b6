/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What addresses were found to mean, and the quick way from such a frame to its caller. Nearly every frame of nearly every
 * sample takes it, so it is short and touches little memory: one line of the cache below and the stack.
 */
#ifndef PYROREC_UNWIND_REMEMBER_H
#define PYROREC_UNWIND_REMEMBER_H

#include "../interpreters/interpreters.h"
#include "rules.h"

/* What is remembered of `address`, or null. */
UNWIND_INLINE const struct unwind_remembered *unwind_recall(environment env, struct unwinder *u, u64 address)
{
	const struct unwind_remembered *known = environment_remembered(env, address);
	u64 difference = (known->address ^ address) | (known->meaning >> 16 ^ u->generation);

	/* The other one if there is a difference; without a branch, as is all that every frame does. */
	known += unwind_if(difference | -difference, 1);
	return known->address == address && known->meaning >> 16 == u->generation ? known : 0;
}

/* Of the two places for an address the first is the one that was found last. */
UNWIND_INLINE void unwind_remember(environment env, struct unwinder *u, u64 address, u32 number)
{
	struct unwind_remembered *known = environment_remembered(env, address);
	const struct pyrorec_unwind_rule *rule = 0;

	known[1] = known[0];
	known->address = address;
	known->meaning = u->generation << 16 | (number & 0xffff);
	known->is_plain = 0;
	known->interpreter = u->python.tag;
	if (interpreter_runs_at(u, address))
		return;
	if (number >= PYROREC_RULE_FIRST)
		rule = environment_rule(env, number - PYROREC_RULE_FIRST);
	if (!rule || rule->cfa_kind != PYROREC_CFA_REGISTER || rule->ra_kind != PYROREC_VALUE_AT_CFA ||
	    rule->fp_kind > PYROREC_VALUE_AT_CFA || !rule->cfa_register || rule->cfa_register > PYROREC_REGISTER_FP)
		return;
	known->is_plain = 1;
	known->cfa_is_fp = rule->cfa_register == PYROREC_REGISTER_FP;
	known->saves_fp = rule->fp_kind == PYROREC_VALUE_AT_CFA;
	known->cfa_offset = rule->cfa_offset;
	known->ra_offset = rule->ra_offset;
	/* Where it is not saved, a place that is read anyway. */
	known->fp_offset = known->saves_fp ? rule->fp_offset : rule->ra_offset;
}

/* As `unwind_by_rule`; -1, and nothing has changed, when it has to do it. */
UNWIND_INLINE int unwind_plainly(environment env, struct unwinder *u, const struct unwind_remembered *known)
{
	struct pyrorec_unwind_state *s = &u->state;
	u64 cfa = s->sp + ((s->fp - s->sp) & -(u64)known->cfa_is_fp) + (s64)known->cfa_offset;
	u64 pc = 0, fp = 0;

	if (unwind_two_words(env, u, cfa + (s64)known->ra_offset, &pc, cfa + (s64)known->fp_offset, &fp))
		return -1;
	environment_push(env, u->frame_count, s->pc);
	u->frame_count += 1;
	s->fp += (fp - s->fp) & -(u64)known->saves_fp;
	return unwind_return(u, pc, cfa);
}

/* Frames that are gone up the quick way in one step. */
#define UNWIND_QUICK_FRAMES 8

/* 0 to go on with another step, 1 at the end, -1 when the next frame takes the long way. */
UNWIND_INLINE int unwind_quickly(environment env, struct unwinder *u)
{
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < UNWIND_QUICK_FRAMES; i++) {
		const struct unwind_remembered *known;
		int result;

		if (u->frame_count >= PYROREC_MAX_USER_FRAMES)
			return -1;
		known = unwind_recall(env, u, u->state.pc - (u->state.flags & PYROREC_STATE_RETURN_ADDRESS));
		if (!known || !known->is_plain || known->interpreter != u->python.tag)
			return -1;
		result = unwind_plainly(env, u, known);
		if (result)
			return result;
	}
	return 0;
}

#endif
