#ifndef PYROREC_LIBBPF_SHIM_H
#define PYROREC_LIBBPF_SHIM_H
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
/* The Glibc module leaves these three out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/types.h>

/* perf_event_open(2) has no wrapper in libc, and syscall(2) is variadic. */
int pyrorec_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group_fd, unsigned long flags);
int pyrorec_pidfd_open(pid_t pid);
/* A file that is nowhere but in memory, closed on exec. */
int pyrorec_empty_memory_file(const char *name);

/* The two ends of a perf ring buffer, read and written as linux/perf_event.h asks. */
__u64 pyrorec_perf_head(const void *page);
void pyrorec_perf_set_tail(void *page, __u64 tail);
__u64 pyrorec_perf_tail(const void *page);

/* What libbpf says is kept here, newest last, instead of going to the terminal. */
void pyrorec_libbpf_capture(void);
const char *pyrorec_libbpf_messages(void);
void pyrorec_libbpf_clear(void);

/* Returns 0 once every BPF program that was running has ended; -1 where the kernel cannot tell (isolated CPUs). */
int pyrorec_wait_for_running_programs(void);

/* Whether perf_event programs have this helper (enum bpf_func_id); asks the kernel by loading a program. */
int pyrorec_has_helper(__u32 helper);

/* Bit fields of struct perf_event_attr are beyond Swift. */
void pyrorec_sampling_attr(struct perf_event_attr *attr, __u32 type, __u64 config, __u64 frequency);
/* `is_lives`: forks and exits; else names and mappings. */
void pyrorec_sideband_attr(struct perf_event_attr *attr, int is_lives, __u32 wakeup_bytes);
#endif
