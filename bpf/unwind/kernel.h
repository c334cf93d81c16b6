/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The unwinder's environment in the kernel: flat arrays that the recorder writes through a mapping, and a cache a CPU. */
#ifndef PYROREC_UNWIND_KERNEL_H
#define PYROREC_UNWIND_KERNEL_H

#include "unwinder.h"

/* What an address was found to mean. A generation is never given twice, so an entry of another one can never match. */
struct unwind_cache_entry {
	u64 address;
	/* The generation from bit 16 on, below it the rule. */
	u64 meaning;
};

#define UNWIND_CACHE_BITS 12

/* The thread state that a thread was found to have. */
struct unwind_thread_entry {
	/* The process id, below it the thread's. */
	u64 thread;
	u64 state;
};

#define UNWIND_THREAD_BITS 8
/* Codes that were seen lately, by the numbers that stand for them. */
#define UNWIND_NEWS_BITS 12
/* At most so often is the recorder woken for code that may soon be gone: nanoseconds. */
#define UNWIND_NEWS_INTERVAL 20000000

/* What one sample is put together in, because only its used part goes to the ring buffer. */
struct unwind_scratch {
	struct pyrorec_sample sample;
	struct unwinder unwinder;
	struct unwind_cache_entry cache[1 << UNWIND_CACHE_BITS];
	struct unwind_thread_entry threads[1 << UNWIND_THREAD_BITS];
	u64 codes[1 << UNWIND_NEWS_BITS];
	/* When the recorder was woken for some, and whether there are others since. */
	u64 told_news;
	u64 has_news;
};

/* One a CPU. An array instead of a per-CPU one, whose values end at 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
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

/* By page: the recorder sets it to 0, a search to 1. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PYROREC_MAX_PAGES);
	__type(key, __u32);
	__type(value, __u64);
} unwind_touched SEC(".maps");

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

UNWIND_INLINE const struct pyrorec_unwind_page *environment_page(environment env, u32 index)
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

UNWIND_INLINE void environment_touch(environment env, u32 page)
{
	u64 *touched = bpf_map_lookup_elem(&unwind_touched, &page);
	if (touched && !*touched)
		*touched = 1;
}

UNWIND_INLINE struct unwind_cache_entry *cache_entry(environment env, u64 address)
{
	/* Fibonacci hashing: neighbours end far apart. */
	u32 index = (u32)(address * 0x9e3779b97f4a7c15ull >> (64 - UNWIND_CACHE_BITS));
	return &env->cache[index & ((1 << UNWIND_CACHE_BITS) - 1)];
}

UNWIND_INLINE int environment_cached(environment env, struct unwinder *u, u64 address, int *rule)
{
	struct unwind_cache_entry *entry = cache_entry(env, address);
	u64 meaning = entry->meaning;

	if (entry->address != address || meaning >> 16 != u->generation)
		return 0;
	*rule = meaning & 0xffff;
	return 1;
}

UNWIND_INLINE void environment_cache(environment env, struct unwinder *u, u64 address, u32 rule)
{
	struct unwind_cache_entry *entry = cache_entry(env, address);

	entry->address = address;
	entry->meaning = u->generation << 16 | (rule & 0xffff);
}

UNWIND_INLINE void environment_push(environment env, u32 index, u64 pc)
{
	env->sample.words[index & (PYROREC_MAX_USER_WORDS - 1)] = pc;
}

UNWIND_INLINE int environment_read_structure(environment env, void *to, u32 bytes, u64 address)
{
	return bpf_probe_read_user(to, bytes, (void *)address);
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
