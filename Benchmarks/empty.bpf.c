/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The sampler that does nothing: what is left is the price of the interrupt and of entering a program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("perf_event") int nothing(void *context) { return 0; }
