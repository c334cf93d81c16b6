/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The sampler: runs in the sampling interrupt of every CPU and hands both stacks of the interrupted thread to the
 * recorder. It only looks up, writes to per-CPU memory and outputs to the ring buffer: nothing here can wait.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "kernel_types.h"
#include "pyrorec_abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#include "kernel_names.bpf.h"

#define STACK_BYTES (PYROREC_MAX_FRAMES * sizeof(__u64))

volatile const struct pyrorec_settings settings;

/* Resized by the recorder to the sampling rate and the number of CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* As much of a struct pyrorec_sample as the kernel's own walks fill. */
struct walked_sample {
	__u64 words[PYROREC_SAMPLE_HEADER_BYTES / 8 + 2 * PYROREC_MAX_FRAMES];
};

/* A sample is put together here, because only its used part goes to the ring buffer. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walked_sample);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PYROREC_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Process id to enum pyrorec_target_state; children are added by on_fork. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYROREC_MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, PYROREC_MAX_CGROUPS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cgroups SEC(".maps");

static __always_inline int in_cgroups(void)
{
#pragma unroll
	for (__u32 i = 0; i < PYROREC_MAX_CGROUPS; i++) {
		if (i >= settings.filter_cgroups)
			return 0;
		if (bpf_current_task_under_cgroup(&cgroups, i) == 1)
			return 1;
	}
	return 0;
}

static __always_inline int is_wanted(__u32 pid)
{
	if (settings.filter_self && pid == settings.self_pid)
		return 0;
	if (!settings.filter_processes && !settings.filter_cgroups)
		return 1;
	if (settings.filter_processes) {
		__u32 *state = bpf_map_lookup_elem(&targets, &pid);
		if (state && *state == PYROREC_TARGET_ACTIVE)
			return 1;
	}
	return settings.filter_cgroups && in_cgroups();
}

static __always_inline void count(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &index);
	if (value)
		*value += 1;
}

static __always_inline __u64 process_start_time(void)
{
	/* Kernels from 5.11 let a program follow the task's pointers directly, which costs nothing. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
		return task->group_leader->start_boottime;
	}
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	return BPF_CORE_READ(task, group_leader, start_boottime);
}

static __always_inline void begin(struct pyrorec_sample *sample, __u64 id)
{
	sample->kind = PYROREC_EVENT_SAMPLE;
	sample->extra_kind = 0;
	sample->extra_words = 0;
	sample->cpu = bpf_get_smp_processor_id();
	sample->pid = id >> 32;
	sample->tid = (__u32)id;
	sample->event = 0;
	sample->guesses = 0;
	sample->guess_reason = 0;
	sample->first_guess = 0;
	sample->generation = 0;
	sample->time = bpf_ktime_get_ns();
	sample->start_time = process_start_time();
	sample->weight = 1;
}

/* `limit` is the most that `user` can be. */
static __always_inline __u32 kernel_stack(void *ctx, struct pyrorec_sample *sample, __u32 user, __u32 limit)
{
	__u64 at = user;

	/* Said where it counts, because verifiers of 6.1 and before lose the bound on the way. */
	__asm__ volatile("" : "+r"(at));
	if (at > limit)
		at = limit;
	long got = bpf_get_stack(ctx, &sample->words[at], STACK_BYTES, 0);
	__u32 kernel = got > 0 ? (__u32)got / sizeof(__u64) : 0;

	if (kernel > PYROREC_MAX_FRAMES)
		kernel = PYROREC_MAX_FRAMES;
	sample->kernel_frames = kernel;
	return kernel;
}

static __always_inline void output(struct pyrorec_sample *sample, __u64 limit, __u64 waiting, __u64 words, int urgent)
{
	__u64 bytes = PYROREC_SAMPLE_HEADER_BYTES + words * sizeof(__u64);

	if (bytes > limit)
		bytes = limit;
	/* Waking the recorder for each sample would cost more than taking it. */
	__u64 flags = urgent || waiting >= settings.wakeup_bytes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
	count(PYROREC_COUNTER_TAKEN);
	if (bpf_ringbuf_output(&events, sample, bytes, flags))
		count(PYROREC_COUNTER_LOST);
}

/* The kernel's own walk along frame pointers. */
static __always_inline __u32 walk_user_stack(void *ctx, struct pyrorec_sample *sample)
{
	long got = bpf_get_stack(ctx, sample->words, STACK_BYTES, BPF_F_USER_STACK);
	__u32 user = got > 0 ? (__u32)got / sizeof(__u64) : 0;

	if (user > PYROREC_MAX_FRAMES)
		user = PYROREC_MAX_FRAMES;
	/* Less than nothing is the kernel's word for no user registers, as in a kernel thread: nothing is missing. */
	if (got < 0)
		sample->result = PYROREC_UNWIND_COMPLETE;
	else if (user == PYROREC_MAX_FRAMES)
		sample->result = PYROREC_UNWIND_TRUNCATED_BY_DEPTH;
	else
		sample->result = PYROREC_UNWIND_FRAME_POINTERS;
	return user;
}

/* For kernels that lack what on_sample_tables needs, and for those who ask for it. */
SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32, zero = 0;

	/* The idle task is not a program. */
	if (!pid || !is_wanted(pid))
		return 0;
	struct pyrorec_sample *sample = bpf_map_lookup_elem(&scratch, &zero);
	if (!sample)
		return 0;
	begin(sample, id);
	__u32 user = walk_user_stack(ctx, sample);
	sample->user_frames = user;
	__u32 kernel = kernel_stack(ctx, sample, user, PYROREC_MAX_FRAMES);
	output(sample, sizeof(struct walked_sample), bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA), user + kernel, 0);
	return 0;
}

#include "unwind_program.h"

/* The child of a process that is recorded is recorded from its first instruction, before the recorder knows of it. */
SEC("raw_tracepoint/sched_process_fork")
int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	__u32 parent_pid = BPF_CORE_READ(parent, tgid), child_pid = BPF_CORE_READ(child, tgid);

	if (parent_pid == child_pid)
		return 0;
	__u32 *state = bpf_map_lookup_elem(&targets, &parent_pid);
	if (state) {
		__u32 inherited = *state;
		bpf_map_update_elem(&targets, &child_pid, &inherited, BPF_ANY);
	}
	return 0;
}

SEC("raw_tracepoint/sched_process_exec")
int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u32 *state = bpf_map_lookup_elem(&targets, &pid);

	if (state && *state == PYROREC_TARGET_AWAITS_EXEC)
		*state = PYROREC_TARGET_ACTIVE;
	return 0;
}
