/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#include "pyrorec_unwind_host.h"

void pyrorec_publish_table(struct pyrorec_unwind_mapping *mapping, __u64 table)
{
	__atomic_store_n(&mapping->table, table, __ATOMIC_RELEASE);
}
