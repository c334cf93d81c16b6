/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The stack is read in windows: one read brings dozens of frames, and a read's price is the call, not the bytes. */
#ifndef PYROREC_UNWIND_MEMORY_H
#define PYROREC_UNWIND_MEMORY_H

#include "unwinder.h"

/* 0 when `*value` is the word at `address`. */
UNWIND_INLINE int unwind_word(environment env, struct unwinder *u, u64 address, u64 *value)
{
	u64 offset = address - u->window_base;
	if (u->window_bytes < 8 || offset > u->window_bytes - 8) {
		/* To the end of the page, because the next one may not be there, and a read is all or nothing. */
		u64 bytes = UNWIND_WINDOW_BYTES - (address & (UNWIND_WINDOW_BYTES - 1));
		if (bytes < UNWIND_WINDOW_LEAST)
			bytes = UNWIND_WINDOW_BYTES;
		u->window_bytes = 0;
		if (environment_read(env, u->window, bytes, address)) {
			environment_use(env, address, 8);
			return environment_read(env, value, 8, address);
		}
		u->window_base = address;
		u->window_bytes = bytes;
		offset = 0;
	}
	environment_use(env, address, 8);
	offset &= UNWIND_WINDOW_BYTES - 1;
	__builtin_memcpy(value, &u->window[offset], 8);
	return 0;
}

#endif
