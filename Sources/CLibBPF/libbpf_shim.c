#include "libbpf_shim.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int pyrorec_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group_fd, unsigned long flags)
{
	return (int)syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, flags);
}

/* libbpf is loaded from one thread only; a verifier log can be long, so the newest half is what stays. */
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
