/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * The interpreters that the unwinder knows: a file each, and a line each in the two functions below. An interpreter is
 * asked whenever a native frame runs it; the native frame has been left by then (`state` is its caller's), and so its
 * frames are pushed in its place, one a step.
 *
 * Whoever includes this defines, beside what unwinder.h asks for:
 *
 *   int environment_read_structure(environment, void *to, u32 bytes, u64 address)      0 when all of it could be read
 *   u64 environment_thread_pointer(environment)                                      what pthread_self() is
 *   int environment_seen(environment, struct unwinder *, struct python_seen *)      whether `python.frame` was looked at before
 *   int environment_keep(environment, u64 frame, u64 code, u64 rest)                when `python.keeps`; 1 at the end
 *   u64 environment_time(environment)                                                of the sample, nanoseconds
 *   struct unwind_python_code *environment_codes(environment, u64 code)             the two that the code may be among
 *   int environment_is_news(environment, u64 code)                                   whether that code was not seen lately
 *   u64 environment_thread(environment, struct unwinder *)                           what was remembered of the thread; 0
 *   void environment_remember_thread(environment, struct unwinder *, u64)
 */
#ifndef PYROREC_INTERPRETERS_H
#define PYROREC_INTERPRETERS_H

#include "../unwind/unwinder.h"
#include "python.h"

UNWIND_INLINE int interpreter_runs_at(struct unwinder *u, u64 address)
{
	return u->python.is_there && python_runs_at(&u->python.process, address);
}

/* A native frame ran the interpreter: `ended` is whether its caller was not found. */
UNWIND_INLINE int interpreter_begin(struct unwinder *u, u64 pc, int ended)
{
	struct unwind_interpreter *i = &u->interpreter;

	i->pc = pc;
	i->ended = ended;
	i->mode = u->mode;
	i->first = u->frame_count;
	i->limit = u->state.sp;
	u->mode = UNWIND_INTERPRETER;
	python_begin(u);
	return 0;
}

UNWIND_INLINE int interpreter_step(environment env, struct unwinder *u)
{
	return python_step(env, u);
}

#endif
