#include "libbpf_shim.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int pyrorec_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group_fd, unsigned long flags)
{
	return (int)syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, flags);
}

int pyrorec_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int pyrorec_empty_memory_file(const char *name)
{
	return (int)syscall(SYS_memfd_create, name, 1 /* MFD_CLOEXEC, linux/memfd.h */);
}

__u64 pyrorec_perf_head(const void *page)
{
	return __atomic_load_n(&((const struct perf_event_mmap_page *)page)->data_head, __ATOMIC_ACQUIRE);
}

__u64 pyrorec_perf_tail(const void *page)
{
	return ((const struct perf_event_mmap_page *)page)->data_tail;
}

void pyrorec_perf_set_tail(void *page, __u64 tail)
{
	__atomic_store_n(&((struct perf_event_mmap_page *)page)->data_tail, tail, __ATOMIC_RELEASE);
}

/* libbpf is used from one thread; a verifier log can be long, so the newest half is what stays. */
static char messages[64 * 1024];
static size_t used;

static int capture(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_DEBUG)
		return 0;
	if (used > sizeof messages / 2) {
		memmove(messages, messages + used / 2, used - used / 2);
		used -= used / 2;
	}
	int n = vsnprintf(messages + used, sizeof messages - used, format, arguments);
	if (n > 0)
		used += (size_t)n < sizeof messages - used ? (size_t)n : sizeof messages - used - 1;
	return n;
}

void pyrorec_libbpf_capture(void) { libbpf_set_print(capture); }
const char *pyrorec_libbpf_messages(void) { return messages; }
void pyrorec_libbpf_clear(void)
{
	used = 0;
	messages[0] = 0;
}

void pyrorec_sampling_attr(struct perf_event_attr *attr, __u32 type, __u64 config, __u64 frequency)
{
	memset(attr, 0, sizeof *attr);
	attr->size = sizeof *attr;
	attr->type = type;
	attr->config = config;
	attr->freq = 1;
	attr->sample_freq = frequency;
	attr->disabled = 1;
	attr->exclude_idle = 1;
}

void pyrorec_sideband_attr(struct perf_event_attr *attr, int is_lives, __u32 wakeup_bytes)
{
	memset(attr, 0, sizeof *attr);
	attr->size = sizeof *attr;
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_DUMMY;
	attr->sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME;
	attr->sample_id_all = 1;
	if (is_lives) {
		attr->task = 1;
	} else {
		attr->mmap = 1;
		attr->mmap2 = 1;
		attr->comm = 1;
		attr->comm_exec = 1;
	}
	attr->use_clockid = 1;
	attr->clockid = CLOCK_MONOTONIC;
	attr->watermark = 1;
	attr->wakeup_watermark = wakeup_bytes;
}


/* linux/membarrier.h: with this command it is the kernel's synchronize_rcu. */
int pyrorec_wait_for_running_programs(void)
{
	return (int)syscall(SYS_membarrier, 1 /* MEMBARRIER_CMD_GLOBAL */, 0, 0);
}

int pyrorec_has_helper(__u32 helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_PERF_EVENT, (enum bpf_func_id)helper, NULL) == 1;
}
