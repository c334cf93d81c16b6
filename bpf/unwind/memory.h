/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The stack is read in windows: one read brings dozens of frames, and a read's price is the call, not the bytes. */
#ifndef PYROREC_UNWIND_MEMORY_H
#define PYROREC_UNWIND_MEMORY_H

#include "unwinder.h"

/* Moves the window to `address`; 0 when it could be read. */
UNWIND_ASIDE int unwind_move_window(environment env, struct unwinder *u, u64 address)
{
	/* To the end of the page, because the next one may not be there, and a read is all or nothing. */
	u64 bytes = UNWIND_WINDOW_BYTES - (address & (UNWIND_WINDOW_BYTES - 1));

	if (!env || !u)
		return 1;
	if (bytes < UNWIND_WINDOW_LEAST)
		bytes = UNWIND_WINDOW_BYTES;
	u->window_reach = 0;
	if (environment_read(env, u->window, bytes, address))
		return 1;
	u->window_base = address;
	u->window_reach = bytes - 7;
	return 0;
}

UNWIND_INLINE int unwind_in_window(const struct unwinder *u, u64 address)
{
	return address - u->window_base < u->window_reach;
}

/* The word at `address`, which is in the window. */
UNWIND_INLINE u64 unwind_window_word(const struct unwinder *u, u64 address)
{
	return unwind_load(&u->window[(address - u->window_base) & (UNWIND_WINDOW_BYTES - 1)]);
}

/* UNWIND_WORD_READS: Benchmarks/ also measure what it costs to read every word by itself. */

/* 0 when `*value` is the word at `address`. */
UNWIND_INLINE int unwind_word(environment env, struct unwinder *u, u64 address, u64 *value)
{
#ifdef UNWIND_WORD_READS
	return environment_read(env, value, 8, address);
#endif
	environment_use(env, address, 8);
	if (!unwind_in_window(u, address) && unwind_move_window(env, u, address))
		return environment_read(env, value, 8, address);
	*value = unwind_window_word(u, address);
	return 0;
}

/* Moves the window to where both are in it; 0 when they are. */
UNWIND_ASIDE int unwind_move_over(environment env, struct unwinder *u, u64 one, u64 other)
{
	/* From the lower of the two on: the next frames lie above. */
	u64 lower = other < one ? other : one;

	if (!env || !u)
		return 1;
	return unwind_move_window(env, u, lower) || !unwind_in_window(u, one) || !unwind_in_window(u, other);
}

/* 0 when `*ra` is the word at `ra_address` and `*fp` the one at `fp_address`; else neither may be used. */
UNWIND_INLINE int unwind_two_words(
	environment env, struct unwinder *u, u64 ra_address, u64 *ra, u64 fp_address, u64 *fp)
{
#ifdef UNWIND_WORD_READS
	*fp = 0;
	return environment_read(env, ra, 8, ra_address) ||
	       (fp_address != ra_address && environment_read(env, fp, 8, fp_address));
#endif
	if (!unwind_in_window(u, ra_address) || !unwind_in_window(u, fp_address)) {
		if (unwind_move_over(env, u, ra_address, fp_address))
			return 1;
	}
	environment_use(env, ra_address, 8);
	environment_use(env, fp_address, 8);
	*ra = unwind_window_word(u, ra_address);
	*fp = unwind_window_word(u, fp_address);
	return 0;
}

#endif
