/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From a frame and its rule to its caller. */
#ifndef PYROREC_UNWIND_RULES_H
#define PYROREC_UNWIND_RULES_H

#include "guess.h"

#if defined(__TARGET_ARCH_arm64)
/* Pointer authentication keeps its signature above the address. */
#define UNWIND_CODE_ADDRESS(pc) ((pc) & 0xffffffffffffull)
#else
#define UNWIND_CODE_ADDRESS(pc) (pc)
#endif

/* 0 when the register's value in this frame is known. */
UNWIND_INLINE int unwind_register(const struct pyrorec_unwind_state *s, u32 number, u64 *value)
{
	if (number == PYROREC_REGISTER_SP) {
		*value = s->sp;
		return 0;
	}
	if (number == PYROREC_REGISTER_FP) {
		*value = s->fp;
		return 0;
	}
	if (!(s->flags & PYROREC_STATE_REGISTERS))
		return 1;
	if (number == PYROREC_REGISTER_LR) {
		*value = s->lr;
		return 0;
	}
	if (number < PYROREC_REGISTER_NUMBERED)
		return 1;
	*value = s->numbered[(number - PYROREC_REGISTER_NUMBERED) & (PYROREC_NUMBERED_REGISTERS - 1)];
	return 0;
}

/* The caller is at `pc` with the stack pointer at `cfa`. */
UNWIND_INLINE int unwind_return(struct unwinder *u, u64 pc, u64 cfa)
{
	struct pyrorec_unwind_state *s = &u->state;

	pc = UNWIND_CODE_ADDRESS(pc);
	if (!pc)
		return unwind_end(u, PYROREC_UNWIND_COMPLETE);
	/* A rule that leads to the frame itself would do so for ever. */
	if (pc == s->pc && cfa == s->sp)
		return unwind_end(u, PYROREC_UNWIND_UNSUPPORTED_RULE);
	s->pc = pc;
	s->sp = cfa;
	s->flags = PYROREC_STATE_RETURN_ADDRESS;
	return 0;
}

#include "switch.h"

UNWIND_INLINE int unwind_return_from(environment env, struct unwinder *u, u64 cfa, u64 address)
{
	u64 pc;
	if (unwind_word(env, u, address, &pc))
		return unwind_end(u, environment_unreadable(env, address));
	return unwind_return(u, pc, cfa);
}

/* The kernel's struct rt_sigframe, above the return address that the trampoline has popped. */
UNWIND_INLINE int unwind_signal(environment env, struct unwinder *u)
{
	struct pyrorec_unwind_state *s = &u->state;
#if defined(__TARGET_ARCH_arm64)
	/* siginfo (128), ucontext up to its mcontext (176), fault address (8): x0 to x30, sp, pc. */
	if (environment_read(env, s->numbered, 31 * 8, s->sp + 312))
		return unwind_end(u, environment_unreadable(env, s->sp));
	u64 rest[2];
	environment_use(env, s->sp, 312 + 33 * 8);
	if (environment_read(env, rest, sizeof rest, s->sp + 312 + 31 * 8))
		return unwind_end(u, environment_unreadable(env, s->sp));
	s->fp = s->numbered[29];
	s->lr = s->numbered[30];
	s->sp = rest[0];
	s->pc = rest[1];
#else
	/* ucontext up to its mcontext (40): r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip. */
	u64 saved[9];
	u64 *numbered = s->numbered;
	u64 address = s->sp + 40;
	environment_use(env, address, 64 + sizeof saved);
	if (environment_read(env, &numbered[8], 8 * 8, address) || environment_read(env, saved, sizeof saved, address + 64))
		return unwind_end(u, environment_unreadable(env, address));
	numbered[0] = saved[5];
	numbered[1] = saved[4];
	numbered[2] = saved[6];
	numbered[3] = saved[3];
	numbered[4] = saved[1];
	numbered[5] = saved[0];
	numbered[6] = saved[2];
	numbered[7] = saved[7];
	s->fp = saved[2];
	s->sp = saved[7];
	s->pc = saved[8];
#endif
	/* Interrupted, not called: any instruction, with its registers as they were. */
	s->flags = PYROREC_STATE_REGISTERS;
	return 0;
}

/* The caller's frame pointer, left as it is where it cannot be told. */
UNWIND_INLINE u64 unwind_frame_pointer(
	environment env, struct unwinder *u, const struct pyrorec_unwind_rule *rule, u64 cfa)
{
	u64 value = u->state.fp, base;

	if (rule->fp_kind == PYROREC_VALUE_SAME)
		return value;
	if (rule->fp_kind == PYROREC_VALUE_UNDEFINED)
		return 0;
	if (rule->fp_kind == PYROREC_VALUE_AT_CFA) {
		base = cfa;
	} else {
		if (unwind_register(&u->state, rule->fp_register, &base))
			return 0;
		if (rule->fp_kind == PYROREC_VALUE_IN_REGISTER)
			return base;
	}
	if (unwind_word(env, u, base + (s64)rule->fp_offset, &value))
		return 0;
	return value;
}

UNWIND_INLINE int unwind_by_rule(environment env, struct unwinder *u, const struct pyrorec_unwind_rule *rule)
{
	struct pyrorec_unwind_state *s = &u->state;
	u64 cfa, pc, base;

	if (unwind_register(s, rule->cfa_register, &cfa))
		return unwind_guess(env, u, PYROREC_UNWIND_UNSUPPORTED_RULE);
	cfa += (s64)rule->cfa_offset;
	if (rule->cfa_kind == PYROREC_CFA_DEREF_INDEXED) {
		if (unwind_register(s, rule->cfa_index, &base))
			return unwind_guess(env, u, PYROREC_UNWIND_UNSUPPORTED_RULE);
		cfa += base * 8;
	}
	if (rule->cfa_kind != PYROREC_CFA_REGISTER) {
		if (unwind_word(env, u, cfa, &base))
			return unwind_end(u, environment_unreadable(env, cfa));
		cfa = base;
		cfa += (s64)rule->cfa_add;
	}
	if (unwind_is_disproven(u, cfa))
		return 0;
	if (rule->ra_kind == PYROREC_VALUE_AT_CFA) {
		if (unwind_word(env, u, cfa + (s64)rule->ra_offset, &pc))
			return unwind_end(u, environment_unreadable(env, cfa));
	} else if (rule->ra_kind == PYROREC_VALUE_UNDEFINED) {
		return unwind_end(u, PYROREC_UNWIND_COMPLETE);
	} else {
		if (unwind_register(s, rule->ra_register, &base))
			return unwind_guess(env, u, PYROREC_UNWIND_UNSUPPORTED_RULE);
		pc = base;
		if (rule->ra_kind == PYROREC_VALUE_AT_REGISTER && unwind_word(env, u, base + (s64)rule->ra_offset, &pc))
			return unwind_end(u, environment_unreadable(env, base));
	}
	s->fp = unwind_frame_pointer(env, u, rule, cfa);
	return unwind_return(u, pc, cfa);
}

UNWIND_ASIDE int unwind_by_number(environment env, struct unwinder *u, u32 number)
{
	struct pyrorec_unwind_state *s;
	const struct pyrorec_unwind_rule *rule;
	u64 value;

	if (!env || !u)
		return 1;
	s = &u->state;

	if (number >= PYROREC_RULE_FIRST) {
		rule = environment_rule(env, number - PYROREC_RULE_FIRST);
		if (!rule)
			return unwind_guess(env, u, PYROREC_UNWIND_UNSUPPORTED_RULE);
		return unwind_by_rule(env, u, rule);
	}
	if (unwind_is_disproven(u, 0))
		return 0;
	switch (number) {
	case PYROREC_RULE_STOP:
		return unwind_end(u, PYROREC_UNWIND_COMPLETE);
	case PYROREC_RULE_PLT_11:
	case PYROREC_RULE_PLT_10:
		value = s->sp + 8;
		if ((s->pc & 15) >= (number == PYROREC_RULE_PLT_11 ? 11 : 10))
			value += 8;
		return unwind_return_from(env, u, value, value - 8);
	case PYROREC_RULE_SIGNAL:
		return unwind_signal(env, u);
	case PYROREC_RULE_FRAME_POINTER:
		return unwind_by_frame_pointer(env, u);
#if !defined(__TARGET_ARCH_arm64)
	case PYROREC_RULE_SWITCHED_STACK:
		return unwind_begin_switch(u, 0);
	case PYROREC_RULE_GREW_STACK:
		return unwind_begin_switch(u, 1);
#endif
	case UNWIND_RULE_NO_TABLE:
		return unwind_guess(env, u, PYROREC_UNWIND_NO_TABLE);
	case PYROREC_RULE_UNSUPPORTED:
		return unwind_guess(env, u, PYROREC_UNWIND_UNSUPPORTED_RULE);
	}
	return unwind_guess(env, u, PYROREC_UNWIND_NO_ROW);
}

#endif
