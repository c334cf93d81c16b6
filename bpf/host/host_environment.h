/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The unwinder's environment on the host: memory with ends. Included once for each machine, because a recording is unwound
 * wherever it is read; UNWIND_ON_HOST names the function that comes of it.
 */
#define _GNU_SOURCE
#include "pyrorec_unwind_host.h"
#include <string.h>

#include "unwind/unwinder.h"

/* Few, because one stack is unwound at a time. */
#define REMEMBERED 32

struct host_environment {
	const struct pyrorec_host_memory *memory;
	u64 *frames;
	struct unwind_remembered remembered[2 * REMEMBERED];
	struct unwind_python_code codes[2 * REMEMBERED];
	/* Of the kept frames the one looked for next. */
	u64 next_kept;
	/* Of the stack, up to the end of what was looked at. */
	u64 stack_used;
};
typedef struct host_environment *environment;

static void environment_use(environment env, u64 address, u32 bytes)
{
	u64 end = address - env->memory->stack_address + bytes;

	if (end <= env->memory->stack_bytes && end > env->stack_used)
		env->stack_used = end;
}

static int environment_read_process(environment env, void *to, u32 bytes, u64 address)
{
	if (!env->memory->process)
		return 1;
	return pyrorec_read_process(env->memory->process, to, bytes, address) != (long)bytes;
}

static int environment_read(environment env, void *to, u32 bytes, u64 address)
{
	const struct pyrorec_host_memory *memory = env->memory;
	u64 offset = address - memory->stack_address;

	if (offset < memory->stack_bytes && bytes <= memory->stack_bytes - offset) {
		memcpy(to, memory->stack + offset, bytes);
		return 0;
	}
	return memory->is_standing ? environment_read_process(env, to, bytes, address) : 1;
}

static int environment_read_code(environment env, void *to, u32 bytes, u64 address)
{
	return environment_read(env, to, bytes, address) && environment_read_process(env, to, bytes, address);
}

/* A stack that goes on above its copy is cut there; anything else was never there. */
static u32 environment_unreadable(environment env, u64 address)
{
	const struct pyrorec_host_memory *memory = env->memory;

	return memory->stack_bytes && address - memory->stack_address < 1 << 23 ? PYROREC_UNWIND_TRUNCATED_BY_DEPTH
									       : PYROREC_UNWIND_READ_FAULT;
}

static const struct pyrorec_unwind_mapping *environment_mapping(environment env, u32 index)
{
	/* A search looks past the end and does not use what it sees there. */
	static const struct pyrorec_unwind_mapping none;
	return index < env->memory->mapping_count ? &env->memory->mappings[index] : &none;
}

static struct pyrorec_unwind_page *environment_page(environment env, u32 index)
{
	return index < env->memory->page_count ? &env->memory->pages[index] : 0;
}

static const struct pyrorec_unwind_chunk *environment_chunk(environment env, u32 index)
{
	return index < env->memory->chunk_count ? &env->memory->chunks[index] : 0;
}

static const struct pyrorec_unwind_rule *environment_rule(environment env, u32 index)
{
	return index < env->memory->rule_count ? &env->memory->rules[index] : 0;
}

static struct unwind_remembered *environment_remembered(environment env, u64 address)
{
	return &env->remembered[(address * 0x9e3779b97f4a7c15ull >> 59) % REMEMBERED * 2];
}

static void environment_push(environment env, u32 index, u64 pc)
{
	if (index < PYROREC_MAX_USER_WORDS)
		env->frames[index] = pc;
}

static int environment_read_structure(environment env, void *to, u32 bytes, u64 address)
{
	const struct pyrorec_host_memory *memory = env->memory;

	if (!environment_read(env, to, bytes, address))
		return 0;
	for (u64 i = 0; i < memory->region_count; i++) {
		const struct pyrorec_host_region *region = &memory->regions[i];
		u64 offset = address - region->address;
		if (offset < region->count && bytes <= region->count - offset) {
			memcpy(to, region->bytes + offset, bytes);
			return 0;
		}
	}
	return 1;
}

static u64 environment_thread_pointer(environment env)
{
	return env->memory->thread_pointer;
}

static u64 environment_time(environment env)
{
	(void)env;
	return 0;
}

static struct unwind_python_code *environment_codes(environment env, u64 code)
{
	return &env->codes[(code * 0x9e3779b97f4a7c15ull >> 59) % REMEMBERED * 2];
}

static int environment_is_news(environment env, u64 code)
{
	(void)env, (void)code;
	return 0;
}

static u64 environment_thread(environment env, struct unwinder *u)
{
	(void)env, (void)u;
	return 0;
}

static void environment_remember_thread(environment env, struct unwinder *u, u64 state)
{
	(void)env, (void)u, (void)state;
}

static int environment_keep(environment env, u64 frame, u64 code, u64 rest)
{
	(void)env, (void)frame, (void)code, (void)rest;
	return 1;
}

struct python_seen;
static int environment_seen(environment env, struct unwinder *u, struct python_seen *seen);

#include "unwind/step.h"

/* Frames are looked for in their order, but for those of a call that turns out to belong farther out. */
static int environment_seen(environment env, struct unwinder *u, struct python_seen *seen)
{
	const u64 *kept = env->memory->kept;
	u64 count = env->memory->kept_count, i = env->next_kept;

	if (i >= count || (kept[2 * i] & ~PYROREC_KEPT_ENTRY) != u->python.frame) {
		for (i = 0; i < count && (kept[2 * i] & ~PYROREC_KEPT_ENTRY) != u->python.frame; i++)
			;
		if (i == count)
			return 0;
	}
	env->next_kept = i + 1;
	seen->previous = i + 1 < count ? kept[2 * i + 2] & ~PYROREC_KEPT_ENTRY : 0;
	seen->code = kept[2 * i + 1];
	seen->rest = 0;
	seen->is_entry = kept[2 * i] >> 63;
	return 1;
}

void UNWIND_ON_HOST(const struct pyrorec_host_memory *memory, const struct pyrorec_unwind_state *state, u64 *frames,
		    struct pyrorec_host_frames *found)
{
	struct host_environment host = { .memory = memory, .frames = frames, .stack_used = 0 };
	struct unwinder u;

	unwind_begin(&u);
	if (memory->python) {
		memset(&u.python, 0, sizeof u.python);
		u.python.process = *memory->python;
		unwind_begin_python(&u);
	}
	if (memory->python && memory->kept_count) {
		u.python.phase = UNWIND_PYTHON_FRAMES;
		u.python.frame = u.python.first = memory->kept[0] & ~PYROREC_KEPT_ENTRY;
		u.python.cframe = memory->kept_cframe;
		/* Nobody else's frames were kept. */
		u.python.asked_for_others = 1;
	}
	u.state = *state;
	u.generation = 1;
	u.first_mapping = 0;
	u.mapping_count = memory->mapping_count < PYROREC_MAX_MAPPINGS ? (u32)memory->mapping_count : PYROREC_MAX_MAPPINGS - 1;
	u.scan_address = state->sp;
	u.frame_count = found->count < PYROREC_MAX_USER_WORDS ? found->count : PYROREC_MAX_USER_WORDS;
	for (u32 i = 0; i < UNWIND_MAX_STEPS; i++) {
		if (unwind_step(&host, &u))
			break;
	}
	found->result = u.result;
	found->guesses = u.guesses;
	found->guess_reason = u.guess_reason;
	found->first_guess = u.first_guess;
	found->count = u.frame_count;
	found->state = u.state;
	found->stack_used = host.stack_used;
}
