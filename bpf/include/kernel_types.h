/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The few fields of kernel structures that are read, relocated at load time by the running kernel's BTF
 * (CO-RE): the order and the rest of each structure do not matter here. Their names stand in KernelTypeExcerpt.swift too.
 */
#ifndef PYROREC_KERNEL_TYPES_H
#define PYROREC_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_struct {
#if defined(__TARGET_ARCH_arm64)
	struct {
		unsigned long tp_value;
	} uw;
#else
	unsigned long fsbase;
#endif
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	struct thread_struct thread;
};

/* What the kernel keeps of a thread's user registers; another name than linux/ptrace.h's, which names them differently. */
#if defined(__TARGET_ARCH_arm64)
struct pt_regs___saved {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
	__s32 syscallno;
};
#else
struct pt_regs___saved {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
	unsigned long cs;
	unsigned long flags, sp;
};
#endif

/* Argument of the tracepoint vm_unmapped_area. */
struct vm_unmapped_area_info {
	unsigned long length;
};

#pragma clang attribute pop

#endif
