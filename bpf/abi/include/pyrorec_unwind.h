/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Unwind tables: what the builder in user space writes and the unwinder reads, in the kernel and on the host.
 *
 * A table is a sorted array of rows. A row is one 32-bit word: bits 0-15 are the low half of the virtual address (in
 * the ELF file) at which the row begins, bits 16-31 the number of its rule. The rows of one 64 KiB page of virtual
 * addresses lie together, pages in order; an address before the first row of its page has the last row before it.
 */
#ifndef PYROREC_UNWIND_H
#define PYROREC_UNWIND_H

#include <linux/types.h>

#define PYROREC_UNWIND_PAGE_BITS 16

/* Numbers below PYROREC_RULE_FIRST are rules by themselves; the others index an array of struct pyrorec_unwind_rule. */
enum pyrorec_unwind_rule_number {
	/* Nothing is known about the code from here on: a gap between functions, padding, data. */
	PYROREC_RULE_NONE = 0,
	/* The outermost frame. */
	PYROREC_RULE_STOP = 1,
	/* A PLT stub that has pushed 8 bytes from the 11th (10th) byte of its 16 on: CFA = sp + 8 or sp + 16. */
	PYROREC_RULE_PLT_11 = 2,
	PYROREC_RULE_PLT_10 = 3,
	/* A signal trampoline: the interrupted registers lie in the signal frame. */
	PYROREC_RULE_SIGNAL = 4,
	/* The caller's frame pointer and the return address lie where the frame pointer points. */
	PYROREC_RULE_FRAME_POINTER = 5,
	/* There is a rule, and it cannot be expressed here. */
	PYROREC_RULE_UNSUPPORTED = 6,
	/*
	 * On another stack than its caller, whose frame the frame pointer still points to (Go's systemstack): where the caller goes on
	 * lies below it, behind a call of this code. Where it is not found, as PYROREC_RULE_FRAME_POINTER.
	 */
	PYROREC_RULE_SWITCHED_STACK = 8,
	/*
	 * The same for a function that called to have its stack grown (Go's morestack) and has no frame yet: the frame pointer is of
	 * its caller. Where they are not found, the outermost frame.
	 */
	PYROREC_RULE_GREW_STACK = 9,
	PYROREC_RULE_FIRST = 16,
};

/* Registers by meaning, the same for every architecture; the others are PYROREC_REGISTER_NUMBERED + DWARF's number. */
enum pyrorec_unwind_register {
	PYROREC_REGISTER_NONE = 0,
	PYROREC_REGISTER_SP = 1,
	PYROREC_REGISTER_FP = 2,
	/* The link register, where there is one. */
	PYROREC_REGISTER_LR = 3,
	PYROREC_REGISTER_NUMBERED = 16,
};

enum pyrorec_unwind_cfa {
	/* cfa_register + cfa_offset */
	PYROREC_CFA_REGISTER = 0,
	/* *(cfa_register + cfa_offset) + cfa_add: realigned stacks, hand-written assembly */
	PYROREC_CFA_DEREF = 1,
	/* *(cfa_register + cfa_offset + 8 * cfa_index) + cfa_add: libcrypto's multiplication */
	PYROREC_CFA_DEREF_INDEXED = 2,
};

enum pyrorec_unwind_value {
	/* The register keeps the value it has. */
	PYROREC_VALUE_SAME = 0,
	/* *(CFA + offset) */
	PYROREC_VALUE_AT_CFA = 1,
	/* The value of another register, which is known in the innermost frame (or after a signal frame) only. */
	PYROREC_VALUE_IN_REGISTER = 2,
	/* *(register + offset) of the frame itself, before the CFA becomes the stack pointer */
	PYROREC_VALUE_AT_REGISTER = 3,
	/* There is none. */
	PYROREC_VALUE_UNDEFINED = 4,
};

/* Some register of this rule is known in the innermost frame (or after a signal frame) only. */
#define PYROREC_RULE_LEAF_ONLY 1

struct pyrorec_unwind_rule {
	__u8 cfa_kind;
	__u8 cfa_register;
	/* The return address: PYROREC_VALUE_AT_CFA with ra_offset (-8 on x86-64), or IN_REGISTER. */
	__u8 ra_kind;
	__u8 ra_register;
	/* The caller's frame pointer. */
	__u8 fp_kind;
	__u8 fp_register;
	__u8 flags;
	/* A register, in PYROREC_CFA_DEREF_INDEXED only; 0 otherwise. */
	__u8 cfa_index;
	__s32 cfa_offset;
	__s32 cfa_add;
	__s32 ra_offset;
	__s32 fp_offset;
};

#endif
