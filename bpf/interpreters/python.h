/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * CPython's frames: finds the thread state of the thread by its pthread_self(), which every version keeps in it, and follows
 * its frames. One structure a step. Nothing of it is trusted: a pointer that leads nowhere ends the walk.
 */
#ifndef PYROREC_PYTHON_H
#define PYROREC_PYTHON_H

#include "python_code.h"

/* Frames that own no code object are pointed to with a mark in the low bits (3.14). */
#define PYTHON_POINTER (~7ull)

UNWIND_INLINE int python_runs_at(const struct pyrorec_python_process *p, u64 address)
{
#pragma unroll
	for (int i = 0; i < PYROREC_PYTHON_RANGES; i++) {
		if (address - p->begin[i] < p->end[i] - p->begin[i])
			return 1;
	}
	return 0;
}

/*
 * The native frames wait for tables, and by then the interpreter's are gone: from now on those that are left are kept as they
 * come. 0 when there is nothing to be kept. `frame_count` is to be set back at the end.
 */
UNWIND_INLINE int python_begin_keeping(struct unwinder *u)
{
	struct unwind_python *python = &u->python;

	if (!python->is_there || python->failed || python->keeps)
		return 0;
	python->keeps = 1;
	if (!python->phase)
		python->phase = UNWIND_PYTHON_BEGIN;
	u->interpreter.limit = ~0ull;
	/* Whatever fails ends it. */
	u->interpreter.ended = 1;
	u->mode = UNWIND_INTERPRETER;
	return 1;
}

/* The call of the evaluation function is done with: on with its caller. */
UNWIND_INLINE int python_end(struct unwinder *u)
{
	u->mode = u->interpreter.mode;
	return u->interpreter.ended != 0;
}

/* The two words of a frame; one where its code is named by what was seen before. */
UNWIND_INLINE void python_push(environment env, struct unwinder *u, u64 code, u64 rest)
{
	u32 count = u->frame_count;

	if (count >= PYROREC_MAX_USER_WORDS - 3)
		return;
	environment_push(env, count, code);
	if (rest)
		environment_push(env, count + 1, rest);
	u->frame_count = count + (rest ? 2 : 1);
}

/* Says why, and leaves the native frame where the interpreter's would stand. */
UNWIND_ASIDE int python_fail(environment env, struct unwinder *u, u32 reason)
{
	u32 count;

	if (!env || !u)
		return 1;
	/* Once a stack: what was not found for the innermost call is not found for the others. */
	if (!u->python.failed)
		python_push(env, u, PYROREC_FRAME_MARK | (u64)PYROREC_INTERPRETER_PYTHON << PYROREC_FRAME_SPACE_BIT,
			    PYROREC_FRAME_MARK | reason);
	u->python.failed = 1;
	count = u->frame_count;
	if (count < PYROREC_MAX_USER_WORDS) {
		environment_push(env, count, u->interpreter.pc);
		u->frame_count = count + 1;
	}
	return python_end(u);
}

UNWIND_INLINE void python_begin(struct unwinder *u)
{
	if (!u->python.phase)
		u->python.phase = UNWIND_PYTHON_BEGIN;
	u->python.first = u->python.frame;
}

/*
 * Whether the thread state at `thread` is the thread's own and runs something; its first frame is then the next one. A thread
 * may have several, one for each sub-interpreter it is in.
 */
UNWIND_INLINE int python_take_thread(environment env, struct unwinder *u, u64 thread)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	u64 frame, cframe = 0;

	if (environment_read_structure(env, python->bytes, python_count(p->thread_bytes), thread))
		return -1;
	if (python_field(python->bytes, p->thread_id) != python->self)
		return 0;
	if (p->thread_cframe == PYROREC_OFFSET_NONE) {
		frame = python_field(python->bytes, p->thread_frame);
	} else {
		cframe = python_field(python->bytes, p->thread_cframe);
		if (environment_read_structure(env, &frame, 8, cframe + p->cframe_current))
			return 0;
	}
	if (!frame || (python->asked_for_others && thread == python->taken))
		return 0;
	if (python->asked_for_others) {
		python->outer = python->frame;
		python->outer_cframe = python->cframe;
	}
	python->taken = thread;
	python->frame = python->first = frame;
	python->cframe = cframe;
	python->phase = UNWIND_PYTHON_FRAMES;
	return 1;
}

UNWIND_INLINE int python_find_thread(environment env, struct unwinder *u)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	u64 thread, next;

	if (python->phase == UNWIND_PYTHON_BEGIN) {
		python->self = environment_thread_pointer(env);
		python->phase = UNWIND_PYTHON_THREADS;
		python->thread = 0;
		python->threads_left = UNWIND_PYTHON_THREADS_LIMIT;
		if (environment_read_structure(env, &python->interpreter, 8, p->interpreters))
			return python_fail(env, u, PYROREC_INTERPRETER_UNREADABLE);
		thread = environment_thread(env, u);
		if (thread)
			python_take_thread(env, u, thread);
		return 0;
	}
	if (!python->threads_left && !python->asked_for_others)
		return python_fail(env, u, PYROREC_INTERPRETER_LIMIT);
	if (!python->threads_left) {
		python->phase = UNWIND_PYTHON_FRAMES;
		return python_end(u);
	}
	python->threads_left -= 1;
	if (!python->thread) {
		/* The first thread state of the next interpreter. */
		next = python->interpreter;
		if (!next && python->asked_for_others) {
			python->phase = UNWIND_PYTHON_FRAMES;
			return python_end(u);
		}
		if (!next)
			return python_fail(env, u, PYROREC_INTERPRETER_NO_THREAD);
		if (environment_read_structure(env, &python->thread, 8, next + p->interpreter_threads) ||
		    environment_read_structure(env, &python->interpreter, 8, next + p->interpreter_next))
			return python_fail(env, u, PYROREC_INTERPRETER_UNREADABLE);
		return 0;
	}
	thread = python->thread;
	switch (python_take_thread(env, u, thread)) {
	case 1:
		environment_remember_thread(env, u, thread);
		return 0;
	case 0:
		python->thread = python_field(python->bytes, p->thread_next);
		return 0;
	}
	return python_fail(env, u, PYROREC_INTERPRETER_UNREADABLE);
}

/*
 * The next frame's bytes. Frames of 3.11 and later lie side by side, a caller's below: one read brings many of them. It begins
 * where the frame's page does, because the page below may not be there, and to find that out takes longer than all the rest.
 */
UNWIND_INLINE const u8 *python_frame_bytes(environment env, struct unwinder *u)
{
	struct unwind_python *python = &u->python;
	u32 bytes = python_count(python->process.frame_bytes), below;
	u64 address = python->frame, offset = address - python->window_base;

	if (python->window_bytes < bytes || offset > python->window_bytes - bytes) {
		below = python->process.style == PYROREC_PYTHON_FRAME_A_CALL ? 0 : address & 4095;
		python->window_bytes = 0;
		if (environment_read_structure(env, python->window, below + bytes, address - below))
			return 0;
		python->window_base = address - below;
		python->window_bytes = below + bytes;
		offset = below;
	}
	return &python->window[offset & (UNWIND_PYTHON_WINDOW - 1)];
}

UNWIND_INLINE u64 python_instruction(const struct pyrorec_python_process *p, u64 code, u64 instruction)
{
	s64 units;

	if (p->code_instructions == PYROREC_OFFSET_NONE) {
		/* An int; -1 before the first instruction. */
		units = (s64)(instruction << 32) >> 32;
		units = units < 0 ? -1 : units >> (p->instruction_shift & 1);
	} else {
		units = (s64)(instruction - code - p->code_instructions) >> 1;
	}
	units += 1;
	return units < 0 || units >= PYROREC_INSTRUCTION_UNKNOWN ? PYROREC_INSTRUCTION_UNKNOWN : (u64)units;
}

/*
 * The call has not linked its frame yet, or no longer: what is linked belongs to calls farther out. Or the thread has another
 * thread state, of a sub-interpreter, that runs this call.
 */
UNWIND_INLINE int python_is_elsewhere(environment env, struct unwinder *u)
{
	struct unwind_python *python = &u->python;

	u->frame_count = u->interpreter.first;
	python->frame = python->first;
	if (python->asked_for_others || environment_read_structure(env, &python->interpreter, 8, python->process.interpreters))
		return python_end(u);
	python->asked_for_others = 1;
	python->phase = UNWIND_PYTHON_THREADS;
	python->thread = 0;
	python->threads_left = UNWIND_PYTHON_THREADS_LIMIT;
	return 0;
}

/* Where one thread state's frames have ended, the outer one's go on. */
UNWIND_INLINE int python_go_out(struct unwinder *u)
{
	struct unwind_python *python = &u->python;

	python->frame = python->first = python->outer;
	python->cframe = python->outer_cframe;
	python->outer = 0;
	return 0;
}

/* What a frame says. */
struct python_seen {
	u64 previous;
	/* The two words of a stack; 0 when it runs no code. */
	u64 code;
	u64 rest;
	/* Whether it is the outermost of its call (3.11). */
	u32 is_entry;
};

/* A failure, or 0. */
UNWIND_INLINE u32 python_look(environment env, struct unwinder *u, struct python_seen *seen)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	const u8 *bytes;
	u64 code, at, cookie = 0;
	u32 entry, failure;

	if (environment_seen(env, u, seen))
		return PYROREC_INTERPRETER_NO_FAILURE;
	bytes = python_frame_bytes(env, u);
	if (!bytes)
		return PYROREC_INTERPRETER_UNREADABLE;
	entry = p->style == PYROREC_PYTHON_FRAME_A_CALL ? 0 : bytes[p->frame_entry & (PYROREC_PYTHON_BYTES - 1)];
	seen->previous = python_field(bytes, p->frame_previous);
	seen->code = 0;
	seen->rest = 0;
	seen->is_entry = p->style == PYROREC_PYTHON_ENTRY_FLAG && entry;
	if (p->style == PYROREC_PYTHON_ENTRY_FRAME && entry >= p->entry_owner)
		return PYROREC_INTERPRETER_NO_FAILURE;
	code = python_field(bytes, p->frame_code) & PYTHON_POINTER & PYROREC_FRAME_ADDRESS;
	at = python_instruction(p, code, python_field(bytes, p->frame_instruction));
	failure = python_cookie(env, u, code, &cookie);
	if (failure)
		return failure;
	seen->code = PYROREC_FRAME_MARK | (u64)PYROREC_INTERPRETER_PYTHON << PYROREC_FRAME_SPACE_BIT | code;
	seen->rest = PYROREC_FRAME_MARK | cookie | at;
	return PYROREC_INTERPRETER_NO_FAILURE;
}

UNWIND_INLINE int python_take_frame(environment env, struct unwinder *u)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	struct python_seen seen;
	u64 frame = python->frame;
	u32 failure;

	if (!frame && python->outer)
		return python_go_out(u);
	if (!frame && python->keeps)
		return 1;
	if (!frame)
		return u->frame_count == u->interpreter.first ? python_is_elsewhere(env, u) : python_end(u);
	if (python->cframe && python->cframe >= u->interpreter.limit)
		return python_is_elsewhere(env, u);
	if (u->frame_count >= PYROREC_MAX_USER_WORDS - 3)
		return unwind_end(u, PYROREC_UNWIND_TRUNCATED_BY_DEPTH);
	failure = python_look(env, u, &seen);
	if (failure)
		return python_fail(env, u, failure);
	if (python->keeps) {
		python->frame = seen.previous;
		return environment_keep(env, frame | (seen.is_entry ? PYROREC_KEPT_ENTRY : 0), seen.code, seen.rest);
	}
	if (!seen.code) {
		/* It lies in the stack of a call farther out. */
		if (frame >= u->interpreter.limit && frame - u->interpreter.limit < UNWIND_GUESS_STACK)
			return python_is_elsewhere(env, u);
		/* Or it is what a thread state's first call came from (3.15). */
		if (u->frame_count == u->interpreter.first && python->outer)
			return python_go_out(u);
		if (u->frame_count == u->interpreter.first && !python->asked_for_others)
			return python_is_elsewhere(env, u);
		python->frame = seen.previous;
		return python_end(u);
	}
	python_push(env, u, seen.code, seen.rest);
	python->frame = seen.previous;
	return p->style == PYROREC_PYTHON_FRAME_A_CALL || seen.is_entry ? python_end(u) : 0;
}

UNWIND_ASIDE int python_step(environment env, struct unwinder *u)
{
	if (!env || !u)
		return 1;
	if (u->python.failed)
		return python_fail(env, u, 0);
	if (u->python.phase != UNWIND_PYTHON_FRAMES)
		return python_find_thread(env, u);
	return python_take_frame(env, u);
}

#endif
