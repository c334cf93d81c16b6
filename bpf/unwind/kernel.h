/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The unwinder's environment in the kernel: flat arrays that the recorder writes through a mapping, and a cache a CPU. */
#ifndef PYROREC_UNWIND_KERNEL_H
#define PYROREC_UNWIND_KERNEL_H

#include "unwinder.h"

#define UNWIND_REMEMBERED_BITS 12

/* The thread state that a thread was found to have. */
struct unwind_thread_entry {
	/* The process id, below it the thread's. */
	u64 thread;
	u64 state;
};

#define UNWIND_THREAD_BITS 8
#define UNWIND_PYTHON_CODE_BITS 11
/* Codes that were seen lately, by the numbers that stand for them. */
#define UNWIND_NEWS_BITS 12
/* At most so often is the recorder woken for code that may soon be gone: nanoseconds. */
#define UNWIND_NEWS_INTERVAL 20000000

/* What one sample is put together in, because only its used part goes to the ring buffer. */
struct unwind_scratch {
	/* First, where short offsets reach it. */
	struct unwinder unwinder;
	/* Where the thread stood, when its stack is copied whatever is found. */
	struct pyrorec_unwind_state innermost;
	struct pyrorec_sample sample;
	/* Two that share a line of the CPU's cache, for each of so many addresses. */
	struct unwind_remembered remembered[1 << UNWIND_REMEMBERED_BITS] __attribute__((aligned(64)));
	struct unwind_thread_entry threads[1 << UNWIND_THREAD_BITS];
	/* Two for each of so many addresses. */
	struct unwind_python_code python_codes[1 << UNWIND_PYTHON_CODE_BITS] __attribute__((aligned(64)));
	u64 codes[1 << UNWIND_NEWS_BITS];
	/* As PYROREC_EXTRA_FRAMES_AND_STACK has it: the number of words first. */
	u64 kept[1 + PYROREC_KEPT_WORDS];
	/* Of the stack, when that begins. */
	u64 frame_count;
	/* When the recorder was woken for some, and whether there are others since. */
	u64 told_news;
	u64 has_news;
};

/* One a CPU. An array instead of a per-CPU one, whose values end at 32 KiB. What can be mapped begins with a page. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_scratch);
} unwind_scratches SEC(".maps");

/* As many as the budget has room for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pyrorec_unwind_chunk);
} unwind_chunks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PYROREC_MAX_PAGES);
	__type(key, __u32);
	__type(value, struct pyrorec_unwind_page);
} unwind_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pyrorec_unwind_mappings);
} unwind_mappings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PYROREC_MAX_RULES);
	__type(key, __u32);
	__type(value, struct pyrorec_unwind_rule);
} unwind_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYROREC_MAX_UNWIND_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct pyrorec_unwind_process);
} unwind_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYROREC_MAX_INTERPRETER_PROCESSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct pyrorec_python_process);
} python_processes SEC(".maps");

typedef struct unwind_scratch *environment;

UNWIND_INLINE int environment_read(environment env, void *to, u32 bytes, u64 address)
{
	return bpf_probe_read_user(to, bytes, (void *)address);
}

UNWIND_INLINE void environment_use(environment env, u64 address, u32 bytes)
{
}

UNWIND_INLINE int environment_read_code(environment env, void *to, u32 bytes, u64 address)
{
	return environment_read(env, to, bytes, address);
}

UNWIND_INLINE u32 environment_unreadable(environment env, u64 address)
{
	return PYROREC_UNWIND_READ_FAULT;
}

UNWIND_INLINE const struct pyrorec_unwind_mapping *environment_mapping(environment env, u32 index)
{
	u32 zero = 0;
	struct pyrorec_unwind_mappings *all = bpf_map_lookup_elem(&unwind_mappings, &zero);
	return all ? &all->entry[index & (PYROREC_MAX_MAPPINGS - 1)] : 0;
}

UNWIND_INLINE struct pyrorec_unwind_page *environment_page(environment env, u32 index)
{
	return bpf_map_lookup_elem(&unwind_pages, &index);
}

UNWIND_INLINE const struct pyrorec_unwind_chunk *environment_chunk(environment env, u32 index)
{
	return bpf_map_lookup_elem(&unwind_chunks, &index);
}

UNWIND_INLINE const struct pyrorec_unwind_rule *environment_rule(environment env, u32 index)
{
	return bpf_map_lookup_elem(&unwind_rules, &index);
}

UNWIND_INLINE struct unwind_remembered *environment_remembered(environment env, u64 address)
{
	/* Fibonacci hashing: neighbours end far apart. */
	u32 index = (u32)(address * 0x9e3779b97f4a7c15ull >> (64 - UNWIND_REMEMBERED_BITS));
	return &env->remembered[index & ((1 << UNWIND_REMEMBERED_BITS) - 2)];
}

UNWIND_INLINE void environment_push(environment env, u32 index, u64 pc)
{
	env->sample.words[index & (PYROREC_MAX_USER_WORDS - 1)] = pc;
}

UNWIND_INLINE int environment_read_structure(environment env, void *to, u32 bytes, u64 address)
{
	return bpf_probe_read_user(to, bytes, (void *)address);
}

struct python_seen;

/* Frames are looked at while they are there. */
UNWIND_INLINE int environment_seen(environment env, struct unwinder *u, struct python_seen *seen)
{
	return 0;
}

/* 1 when there is no room for more. */
UNWIND_INLINE int environment_keep(environment env, u64 frame, u64 code, u64 rest)
{
	u64 at = env->kept[0];

	if (at > PYROREC_KEPT_WORDS - 3)
		return 1;
	if (!at) {
		env->kept[1] = env->unwinder.python.cframe;
		at = 1;
	}
	env->kept[at + 1] = frame;
	env->kept[at + 2] = code;
	env->kept[at + 3] = rest;
	env->kept[0] = at + 3;
	return 0;
}

/* The same in the C libraries that there are: pthread_self() is where the thread's register points. */
UNWIND_INLINE u64 environment_thread_pointer(environment env)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
#if defined(__TARGET_ARCH_arm64)
	return task->thread.uw.tp_value;
#else
	return task->thread.fsbase;
#endif
}

UNWIND_INLINE u64 environment_time(environment env)
{
	return env->sample.time;
}

UNWIND_INLINE struct unwind_python_code *environment_codes(environment env, u64 code)
{
	u32 index = (u32)(code * 0x9e3779b97f4a7c15ull >> (64 - UNWIND_PYTHON_CODE_BITS));
	return &env->python_codes[index & ((1 << UNWIND_PYTHON_CODE_BITS) - 2)];
}

UNWIND_INLINE int environment_is_news(environment env, u64 code)
{
	u64 *seen = &env->codes[(u32)(code * 0x9e3779b97f4a7c15ull >> (64 - UNWIND_NEWS_BITS)) & ((1 << UNWIND_NEWS_BITS) - 1)];

	if (*seen == code)
		return 0;
	*seen = code;
	return 1;
}

UNWIND_INLINE struct unwind_thread_entry *thread_entry(environment env)
{
	u64 id = (u64)env->sample.pid << 32 | env->sample.tid;
	return &env->threads[(u32)(id * 0x9e3779b97f4a7c15ull >> (64 - UNWIND_THREAD_BITS)) & ((1 << UNWIND_THREAD_BITS) - 1)];
}

UNWIND_INLINE u64 environment_thread(environment env, struct unwinder *u)
{
	struct unwind_thread_entry *entry = thread_entry(env);
	return entry->thread == ((u64)env->sample.pid << 32 | env->sample.tid) ? entry->state : 0;
}

UNWIND_INLINE void environment_remember_thread(environment env, struct unwinder *u, u64 state)
{
	struct unwind_thread_entry *entry = thread_entry(env);
	entry->thread = (u64)env->sample.pid << 32 | env->sample.tid;
	entry->state = state;
}

#endif
