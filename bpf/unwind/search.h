/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* From an address to its rule: the mapping, the page, the row. */
#ifndef PYROREC_UNWIND_SEARCH_H
#define PYROREC_UNWIND_SEARCH_H

#include "unwinder.h"

/* How many of the slice's mappings begin below `address`, which is below 2^63. */
UNWIND_INLINE u64 unwind_mappings_before(environment env, u32 first, u32 count, u64 address)
{
	const struct pyrorec_unwind_mapping *mapping;
	u64 found = 0;
	u32 step = PYROREC_MAX_MAPPINGS / 2;

	if (count < 64)
		step = 32;
	else if (count < 1024)
		step = 512;
	for (u32 i = 0; i < 17 && step; i++, step >>= 1) {
		u64 next = found + step;
		mapping = environment_mapping(env, first + (u32)next - 1);
		if (!mapping)
			return 0;
		found += unwind_if(unwind_less(next, (u64)count + 1) & unwind_less(mapping->begin, address), step);
	}
	return found;
}

/* The mapping that `address` lies in, or null. */
UNWIND_INLINE const struct pyrorec_unwind_mapping *unwind_mapping_at(environment env, struct unwinder *u, u64 address)
{
	const struct pyrorec_unwind_mapping *mapping;
	u32 first = u->first_mapping;
	u64 found;

	/* User addresses end below 2^63, and the comparisons count on it. */
	if ((s64)address < 0 || !u->mapping_count)
		return 0;
	mapping = environment_mapping(env, first + u->last_mapping);
	if (mapping && address >= mapping->begin && address < mapping->end)
		return mapping;
	found = unwind_mappings_before(env, first, u->mapping_count, address + 1);
	if (!found)
		return 0;
	mapping = environment_mapping(env, first + (u32)found - 1);
	if (!mapping || address >= mapping->end)
		return 0;
	u->last_mapping = (u32)found - 1;
	return mapping;
}

/* The rule in force at `offset` in the page. */
UNWIND_INLINE u32 unwind_rule_in(environment env, const struct pyrorec_unwind_page *page, u32 offset)
{
	u32 part = (offset & 0xffff) * PYROREC_PAGE_PARTS >> 16;
	u32 first = page->first, count = page->starts[part + 1];
	/* How many of the page's rows begin at or below the offset: those of the parts before, and some of this one. */
	u64 found = page->starts[part];
	u32 step = 2048;
	const struct pyrorec_unwind_chunk *chunk = environment_chunk(env, first / PYROREC_CHUNK_ROWS);

	if (!chunk)
		return page->before;
	if (count - found < 8)
		step = 4;
	else if (count - found < 32)
		step = 16;
	else if (count - found < 128)
		step = 64;
	for (u32 i = 0; i < 12 && step; i++, step >>= 1) {
		u64 next = found + step;
		u64 row = chunk->rows[(first + (u32)next - 1) & (PYROREC_CHUNK_ROWS - 1)];
		found += unwind_if(unwind_less(next, (u64)count + 1) & unwind_less(row & 0xffff, (u64)offset + 1), step);
	}
	if (!found)
		return page->before;
	return chunk->rows[(first + (u32)found - 1) & (PYROREC_CHUNK_ROWS - 1)] >> 16;
}

/* The number of the rule for `address` in `mapping`; -1 when the table is not there yet. */
UNWIND_INLINE int unwind_rule_at(environment env, const struct pyrorec_unwind_mapping *mapping, u64 address)
{
	/* Before the bias, which is there before the table is. */
	u64 table = *(const volatile u64 *)&mapping->table;
	UNWIND_ACQUIRE();
	u64 offset = address - mapping->bias;
	u64 number = offset >> PYROREC_UNWIND_PAGE_BITS;
	struct pyrorec_unwind_page *page;

	if (!(table >> 32))
		return table == PYROREC_ABSENCE_PENDING ? -1 : UNWIND_RULE_NO_TABLE;
	if (number >= table >> 32)
		return PYROREC_RULE_NONE;
	number += (u32)table;
	page = environment_page(env, number);
	if (!page)
		return PYROREC_RULE_NONE;
	if (!page->touched)
		page->touched = 1;
	return unwind_rule_in(env, page, offset & 0xffff);
}

#endif
