/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The few fields of kernel structures that are read, relocated at load time by the running kernel's BTF
 * (CO-RE): the order and the rest of each structure do not matter here.
 */
#ifndef PYROREC_KERNEL_TYPES_H
#define PYROREC_KERNEL_TYPES_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
};

#pragma clang attribute pop

#endif
