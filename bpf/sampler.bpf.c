/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "pyrorec_abi.h"
char LICENSE[] SEC("license") = "Dual BSD/GPL";
