/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The layouts that traces and tests rely on, held to what the header says. */
#include "pyrorec_abi.h"
#include <stddef.h>

_Static_assert(offsetof(struct pyrorec_sample, words) == PYROREC_SAMPLE_HEADER_BYTES, "sample header");
_Static_assert(offsetof(struct pyrorec_sample, extra_words) == 8, "extra_words");
_Static_assert(offsetof(struct pyrorec_sample, cpu) == 12, "cpu");
_Static_assert(offsetof(struct pyrorec_sample, pid) == 16, "pid");
_Static_assert(offsetof(struct pyrorec_sample, event) == 24, "event");
_Static_assert(offsetof(struct pyrorec_sample, time) == 32, "time");
_Static_assert(offsetof(struct pyrorec_sample, weight) == 48, "weight");
_Static_assert(sizeof(struct pyrorec_settings) == 32, "settings");
_Static_assert(sizeof(struct pyrorec_unwind_rule) == 24, "unwind rule");
_Static_assert(offsetof(struct pyrorec_kernel_names, addresses) == PYROREC_NAMES_HEADER_BYTES, "kernel names");
_Static_assert(sizeof(struct pyrorec_kernel_names)
	       == PYROREC_NAMES_HEADER_BYTES + PYROREC_NAME_SLOTS * (sizeof(__u64) + PYROREC_NAME_BYTES), "kernel names");
_Static_assert(offsetof(struct pyrorec_sample, generation) == 56, "generation");
_Static_assert(sizeof(struct pyrorec_unwind_page) == 64, "unwind page");
_Static_assert(sizeof(struct pyrorec_unwind_mapping) == 32, "unwind mapping");
_Static_assert(sizeof(struct pyrorec_unwind_mappings) == 4 << 20, "unwind mappings");
_Static_assert(sizeof(struct pyrorec_unwind_process) == 16, "unwind process");
_Static_assert(sizeof(struct pyrorec_unwind_state) == 296, "unwind state");
_Static_assert(sizeof(struct pyrorec_python_process) == 152, "python process");
