/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The user registers of the thread that was interrupted, wherever it was: in user mode, in a system call, in a fault. */
#ifndef PYROREC_UNWIND_REGISTERS_H
#define PYROREC_UNWIND_REGISTERS_H

#include "unwinder.h"

enum registers_found {
	REGISTERS_FOUND = 0,
	/* A thread of the kernel, or one on its way out: it has no user stack. */
	REGISTERS_NO_USER,
	REGISTERS_NONE,
	REGISTERS_COMPAT32,
};

/* PF_KTHREAD, linux/sched.h */
#define TASK_IS_KERNEL_THREAD 0x00200000

/*
 * The context's registers are read one by one through a volatile pointer: the compiler would otherwise choose between the
 * two sources first and then load from whichever it is, which the verifier forbids for the context.
 */
#if defined(__TARGET_ARCH_arm64)
#define MODE_MASK 0x1f	/* PSR_MODE_MASK and PSR_MODE32_BIT, asm/ptrace.h */
#define MODE_32BIT 0x10
#define COPY_REGISTERS(state, from)                                                                                    \
	do {                                                                                                           \
		_Pragma("unroll") for (int i = 0; i < 31; i++)(state)->numbered[i] = (from)->regs[i];                 \
		(state)->fp = (state)->numbered[29];                                                                   \
		(state)->lr = (state)->numbered[30];                                                                   \
		(state)->sp = (from)->sp;                                                                              \
		(state)->pc = (from)->pc;                                                                              \
	} while (0)
#define COPY_CONTEXT COPY_REGISTERS
#define CONTEXT_MODE(from) ((from)->pstate & MODE_MASK)
#define SAVED_MODE(from) ((from)->pstate & MODE_MASK)
#define MODE_IS_USER64(mode) ((mode) == 0)
#define MODE_IS_USER32(mode) ((mode) == MODE_32BIT)
#define IN_SYSTEM_CALL(from) ((from)->syscallno != -1)
/* struct user_pt_regs of asm/ptrace.h, which only that machine's own headers have. */
typedef struct {
	u64 regs[31], sp, pc, pstate;
} context_registers;
#else
/* asm/segment.h: the privilege level in the low bits; the code segment of 32-bit programs. */
#define USER32_CS 0x23
#define COPY_X86(state, from, ax, dx, cx, bx, si, di, bp, sp_, ip)                                                     \
	do {                                                                                                           \
		(state)->numbered[0] = (from)->ax;                                                                     \
		(state)->numbered[1] = (from)->dx;                                                                     \
		(state)->numbered[2] = (from)->cx;                                                                     \
		(state)->numbered[3] = (from)->bx;                                                                     \
		(state)->numbered[4] = (from)->si;                                                                     \
		(state)->numbered[5] = (from)->di;                                                                     \
		(state)->numbered[8] = (from)->r8;                                                                     \
		(state)->numbered[9] = (from)->r9;                                                                     \
		(state)->numbered[10] = (from)->r10;                                                                   \
		(state)->numbered[11] = (from)->r11;                                                                   \
		(state)->numbered[12] = (from)->r12;                                                                   \
		(state)->numbered[13] = (from)->r13;                                                                   \
		(state)->numbered[14] = (from)->r14;                                                                   \
		(state)->numbered[15] = (from)->r15;                                                                   \
		(state)->fp = (from)->bp;                                                                              \
		(state)->sp = (from)->sp_;                                                                             \
		(state)->pc = (from)->ip;                                                                              \
		(state)->numbered[6] = (state)->fp;                                                                    \
		(state)->numbered[7] = (state)->sp;                                                                    \
		(state)->lr = 0;                                                                                       \
	} while (0)
#define COPY_CONTEXT(state, from) COPY_X86(state, from, rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, rip)
#define COPY_REGISTERS(state, from) COPY_X86(state, from, ax, dx, cx, bx, si, di, bp, sp, ip)
#define CONTEXT_MODE(from) ((from)->cs)
#define SAVED_MODE(from) ((from)->cs)
#define MODE_IS_USER64(mode) (((mode)&3) == 3 && (mode) != USER32_CS)
#define MODE_IS_USER32(mode) ((mode) == USER32_CS)
#define IN_SYSTEM_CALL(from) ((s64)(from)->orig_ax != -1)
typedef struct pt_regs context_registers;
#endif

UNWIND_INLINE enum registers_found user_registers(struct bpf_perf_event_data *ctx, struct pyrorec_unwind_state *state)
{
	/* What a struct bpf_perf_event_data begins with. */
	volatile context_registers *now = (volatile context_registers *)ctx;
	u64 mode = CONTEXT_MODE(now);

	state->flags = PYROREC_STATE_REGISTERS;
	if (MODE_IS_USER64(mode)) {
		COPY_CONTEXT(state, now);
		return REGISTERS_FOUND;
	}
	if (MODE_IS_USER32(mode)) {
		state->pc = 0;
		return REGISTERS_COMPAT32;
	}
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	if (task->flags & TASK_IS_KERNEL_THREAD)
		return REGISTERS_NO_USER;
	struct pt_regs___saved *saved = (struct pt_regs___saved *)bpf_task_pt_regs((struct task_struct *)task);
	if (!saved)
		return REGISTERS_NONE;
	mode = SAVED_MODE(saved);
	if (MODE_IS_USER32(mode))
		return REGISTERS_COMPAT32;
	if (!MODE_IS_USER64(mode))
		return REGISTERS_NO_USER;
	COPY_REGISTERS(state, saved);
	/* A system call has advanced the instruction pointer as a call would; a fault or an interrupt has not. */
	if (IN_SYSTEM_CALL(saved))
		state->flags |= PYROREC_STATE_RETURN_ADDRESS;
	return REGISTERS_FOUND;
}

#endif
