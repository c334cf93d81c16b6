/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
#define _GNU_SOURCE
#include "pyrorec_unwind_host.h"
#include <sys/uio.h>

long pyrorec_read_process(__s32 process, void *to, __u64 bytes, __u64 address)
{
	struct iovec local = { .iov_base = to, .iov_len = bytes };
	struct iovec remote = { .iov_base = (void *)address, .iov_len = bytes };

	return process_vm_readv(process, &local, 1, &remote, 1, 0);
}

void pyrorec_publish_table(struct pyrorec_unwind_mapping *mapping, __u64 table)
{
	__atomic_store_n(&mapping->table, table, __ATOMIC_RELEASE);
}
