#ifndef PYROREC_LIBBPF_SHIM_H
#define PYROREC_LIBBPF_SHIM_H
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>

/* perf_event_open(2) has no wrapper in libc, and syscall(2) is variadic. */
int pyrorec_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group_fd, unsigned long flags);

/* What libbpf says goes to `buffer`, of which the last `capacity` bytes are kept, and nowhere else. */
void pyrorec_libbpf_capture(void);
const char *pyrorec_libbpf_messages(void);
void pyrorec_libbpf_clear(void);
#endif
