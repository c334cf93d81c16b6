/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Asks the kernel what it calls the code at some addresses: a hundredth of the work that reading all of
 * /proc/kallsyms is, and it knows modules and BPF programs too. Run by the recorder, attached to nothing.
 */
#ifndef PYROREC_KERNEL_NAMES_BPF_H
#define PYROREC_KERNEL_NAMES_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pyrorec_kernel_names);
} names SEC(".maps");

/* `name+0x1c/0x40 [module]`, or the bare address where there is no name. */
const char kernel_name_format[] SEC(".rodata.names") = "%pS";

SEC("syscall")
int on_names(void *ctx)
{
	__u32 zero = 0;
	struct pyrorec_kernel_names *asked = bpf_map_lookup_elem(&names, &zero);

	if (!asked)
		return 1;
	if (asked->wants_text) {
		__u64 found = 0;

		if (!bpf_kallsyms_lookup_name("_stext", sizeof "_stext", 0, &found))
			asked->text_start = found;
		found = 0;
		if (!bpf_kallsyms_lookup_name("_etext", sizeof "_etext", 0, &found))
			asked->text_end = found;
	}
	for (__u32 i = 0; i < PYROREC_NAME_SLOTS; i++) {
		if (i >= asked->count)
			break;
		bpf_snprintf(asked->names[i], PYROREC_NAME_BYTES, kernel_name_format, &asked->addresses[i],
			     sizeof asked->addresses[i]);
	}
	return 0;
}

#endif
