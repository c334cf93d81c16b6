/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* The sampler that unwinds by tables, and what tells it that a process has begun to change. Part of sampler.bpf.c. */
#ifndef PYROREC_UNWIND_PROGRAM_H
#define PYROREC_UNWIND_PROGRAM_H

#include "unwind/kernel.h"
#include "unwind/registers.h"
#include "unwind/step.h"

struct unwind_call {
	__u32 cpu;
};

static long step_once(__u32 index, void *context)
{
	__u32 cpu = ((struct unwind_call *)context)->cpu;
	struct unwind_scratch *scratch = bpf_map_lookup_elem(&unwind_scratches, &cpu);

	if (!scratch)
		return 1;
	struct unwinder *u = &scratch->unwinder;
	u64 ended = unwind_step(scratch, u);
	if (ended && !settings.copies_stacks && (u->result == PYROREC_UNWIND_TABLES_PENDING || u->result == PYROREC_UNWIND_NO_MAPPING) &&
	    python_begin_keeping(u)) {
		scratch->frame_count = u->frame_count;
		ended = 0;
	}
	/* The verifier wants to see that it is 0 or 1, and does not know what global functions return. */
	UNWIND_OPAQUE(ended);
	return ended & 1;
}

/* The frames found; `result` of the sample is set. */
static __always_inline __u32 unwind_user_stack(
	struct bpf_perf_event_data *ctx, struct unwind_scratch *scratch, __u32 pid, __u32 cpu)
{
	struct pyrorec_sample *sample = &scratch->sample;
	struct unwinder *u = &scratch->unwinder;
	struct unwind_call call = { .cpu = cpu };

	unwind_begin(u);
	switch (user_registers(ctx, &u->state)) {
	case REGISTERS_FOUND:
		break;
	case REGISTERS_COMPAT32:
		sample->result = PYROREC_UNWIND_COMPAT32;
		return 0;
	case REGISTERS_NO_USER:
		sample->result = PYROREC_UNWIND_COMPLETE;
		return 0;
	case REGISTERS_NONE:
		sample->result = PYROREC_UNWIND_NO_REGISTERS;
		return 0;
	}
	if (settings.copies_stacks)
		__builtin_memcpy(&scratch->innermost, &u->state, sizeof u->state);
	struct pyrorec_unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &pid);
	__u64 generation = process ? *(volatile __u64 *)&process->generation : 0;
	if (!process || !generation) {
		sample->result = PYROREC_UNWIND_TABLES_PENDING;
		return 0;
	}
	u->generation = generation;
	u->first_mapping = process->first;
	u->mapping_count = process->count;
	u->stops_at_unknown = 1;
	scratch->kept[0] = 0;
	struct pyrorec_python_process *python = bpf_map_lookup_elem(&python_processes, &pid);
	if (python) {
		u->python.process = *python;
		unwind_begin_python(u);
	}
	sample->generation = generation;
	bpf_loop(UNWIND_MAX_STEPS, step_once, &call, 0);
	if (u->python.keeps)
		u->frame_count = scratch->frame_count;
	sample->result = u->result;
	sample->guesses = u->guesses;
	sample->guess_reason = u->guess_reason;
	sample->first_guess = u->first_guess;
	return u->frame_count;
}

/* Appends what was kept of an interpreter's frames: the number of words. */
static __always_inline __u32 copy_kept(struct unwind_scratch *scratch, __u32 words)
{
	__u64 at = words, kept = scratch->kept[0];

	if (!scratch->unwinder.python.keeps || !kept)
		return 0;
	/* As in kernel_stack. */
	__asm__ volatile("" : "+r"(at), "+r"(kept));
	if (at > PYROREC_MAX_USER_WORDS + PYROREC_MAX_FRAMES || kept > PYROREC_KEPT_WORDS)
		return 0;
	if (bpf_probe_read_kernel(&scratch->sample.words[at], (kept + 1) * 8, scratch->kept))
		return 0;
	return kept + 1;
}

/*
 * Appends the registers and the stack at word `at`; what can be read is cut at the first page that is not there. Aside, because
 * the verifier followed its loop once for each way that leads here, which was three quarters of the time until sampling began.
 */
UNWIND_ASIDE __u32 copy_stack(struct unwind_scratch *scratch, __u32 words, __u64 limit)
{
	if (!scratch)
		return 0;
	struct pyrorec_sample *sample = &scratch->sample;
	const struct pyrorec_unwind_state *from = settings.copies_stacks ? &scratch->innermost : &scratch->unwinder.state;
	__u64 at = words;

	/* As in kernel_stack. */
	__asm__ volatile("" : "+r"(at));
	if (at > PYROREC_MAX_USER_WORDS + PYROREC_MAX_FRAMES + 1 + PYROREC_KEPT_WORDS)
		at = PYROREC_MAX_USER_WORDS + PYROREC_MAX_FRAMES + 1 + PYROREC_KEPT_WORDS;
	__u64 *to = &sample->words[at];
	__u64 address = from->sp & ~7ull, copied = 0;

	__builtin_memcpy(to, from, sizeof(struct pyrorec_unwind_state));
	to += PYROREC_STATE_WORDS;
	/* 4 KiB each, the first one less: a read across pages would be all or nothing. */
#pragma clang loop unroll(disable)
	for (int i = 0; i < PYROREC_STACK_COPY_BYTES / 4096; i++) {
		__u64 bytes = 4096 - ((address + copied) & 4095);
		if (copied > PYROREC_STACK_COPY_BYTES - 4096 || copied >= limit)
			break;
		if (bpf_probe_read_user((char *)to + copied, bytes, (void *)(address + copied)))
			break;
		copied += bytes;
	}
	/* What lies above what was unwound is arguments and environment, which may be secret. */
	if (copied > limit)
		copied = limit & ~7ull;
	sample->extra_kind = settings.copies_stacks ? PYROREC_EXTRA_WHOLE_STACK : PYROREC_EXTRA_STACK;
	sample->extra_words = PYROREC_STATE_WORDS + copied / 8;
	return sample->extra_words;
}

SEC("perf_event")
int on_sample_tables(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32, cpu = bpf_get_smp_processor_id();

	if (!pid || !is_wanted(pid))
		return 0;
	struct unwind_scratch *scratch = bpf_map_lookup_elem(&unwind_scratches, &cpu);
	if (!scratch)
		return 0;
	struct pyrorec_sample *sample = &scratch->sample;
	begin(sample, id);
	__u32 user = unwind_user_stack(ctx, scratch, pid, cpu);
	if (sample->result == PYROREC_UNWIND_COMPAT32)
		user = walk_user_stack(ctx, sample), sample->result = PYROREC_UNWIND_COMPAT32;
	if (user > PYROREC_MAX_USER_WORDS)
		user = PYROREC_MAX_USER_WORDS;
	sample->user_frames = user;
	__u32 words = user + kernel_stack(ctx, sample, user, PYROREC_MAX_USER_WORDS);
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	/* What the recorder has not read yet must not be crowded out by copies: an eighth full wakes it. */
	int is_unfinished = sample->result == PYROREC_UNWIND_TABLES_PENDING || sample->result == PYROREC_UNWIND_NO_MAPPING;
	if ((is_unfinished || (settings.copies_stacks && user && sample->result != PYROREC_UNWIND_COMPAT32)) && waiting < 5 * settings.wakeup_bytes) {
		__u64 limit = waiting < settings.wakeup_bytes ? PYROREC_STACK_COPY_BYTES : waiting < 3 * settings.wakeup_bytes ? 16384 : 4096;
		/* What was unwound already is known to end there, but for the frame that has no caller. */
		__u64 used = scratch->unwinder.state.sp - scratch->innermost.sp + 256;
		if (settings.copies_stacks && sample->result == PYROREC_UNWIND_COMPLETE && used < limit)
			limit = used;
		__u32 kept = is_unfinished ? copy_kept(scratch, words) : 0;
		words += kept;
		words += copy_stack(scratch, words, limit);
		if (kept) {
			sample->extra_kind = PYROREC_EXTRA_FRAMES_AND_STACK;
			sample->extra_words += kept;
		}
	}
	if (scratch->unwinder.python.has_news)
		scratch->has_news = 1;
	int urgent = scratch->has_news && sample->time - scratch->told_news > UNWIND_NEWS_INTERVAL;
	if (urgent) {
		scratch->told_news = sample->time;
		scratch->has_news = 0;
	}
	output(sample, sizeof *sample, waiting, words, urgent);
	return 0;
}

static __always_inline void forget_mappings(__u32 pid)
{
	struct pyrorec_unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &pid);
	/* Its own memory, written in place: no lock. */
	if (process)
		*(volatile __u64 *)&process->generation = 0;
}

/* Until the recorder has read the new program's mappings, the old ones must not be taken for them. */
SEC("raw_tracepoint/sched_process_exec")
int forget_on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	forget_mappings(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

/* A process id that is given again. */
SEC("raw_tracepoint/sched_process_fork")
int forget_on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx->args[0];
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	__u32 pid = BPF_CORE_READ(child, tgid);

	if (pid != (__u32)BPF_CORE_READ(parent, tgid))
		forget_mappings(pid);
	return 0;
}

/* Memory is about to be mapped where code was known to be: that code was unmapped, and nobody was told. */
SEC("raw_tracepoint/vm_unmapped_area")
int forget_on_reuse(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, cpu = bpf_get_smp_processor_id();
	__u64 begin = ctx->args[0];
	struct vm_unmapped_area_info *info = (struct vm_unmapped_area_info *)ctx->args[1];
	__u64 end = begin + BPF_CORE_READ(info, length);
	struct pyrorec_unwind_process *process = bpf_map_lookup_elem(&unwind_processes, &pid);
	struct unwind_scratch *scratch = bpf_map_lookup_elem(&unwind_scratches, &cpu);
	__u32 first, count;
	__u64 found;

	/* An error comes as a number near the end of all. */
	if (!process || !scratch || !process->generation || (__s64)begin <= 0 || (__s64)end <= 0)
		return 0;
	first = process->first;
	count = process->count;
	found = unwind_mappings_before(scratch, first, count, end);
	if (!found)
		return 0;
	const struct pyrorec_unwind_mapping *mapping = environment_mapping(scratch, first + found - 1);
	if (mapping && mapping->end > begin)
		*(volatile __u64 *)&process->generation = 0;
	return 0;
}

#endif
