/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * What code a frame of CPython runs: its address, and a cookie by which whoever reads the code later tells whether it is
 * still the same. From 3.12 on every code object has a version that no other one has: who knows it knows the rest. Before,
 * addresses come again, of the code and of all that it points to, so that what its names say is part of the cookie.
 */
#ifndef PYROREC_PYTHON_CODE_H
#define PYROREC_PYTHON_CODE_H

#include "../unwind/unwinder.h"

/* The words of a cookie that are a text's, behind the code's own: eight words of it, and the end of a long one. */
#define PYTHON_NAME_WORDS 8
#define PYTHON_FILE_WORDS 32
#define PYTHON_TEXT_END_WORDS 8

UNWIND_INLINE u64 python_field(const u8 *bytes, u32 offset)
{
	return unwind_load(&bytes[offset & (PYROREC_PYTHON_BYTES - 1)]);
}

UNWIND_INLINE u32 python_count(u32 bytes)
{
	return bytes < PYROREC_PYTHON_BYTES ? bytes : PYROREC_PYTHON_BYTES;
}

/* The first `length` bytes, eight at a time, without a branch for each (UNWIND_OPAQUE). */
UNWIND_INLINE u64 python_text_sum(const u8 *bytes, u64 length, u32 number)
{
	s64 left, sign;
	u64 sum = 0, word;

	if (length > PYROREC_PYTHON_TEXT_BYTES)
		length = PYROREC_PYTHON_TEXT_BYTES;
#pragma unroll
	for (int i = 0; i < PYROREC_PYTHON_TEXT_BYTES / 8; i++) {
		word = unwind_load(&bytes[i * 8]);
		/* So many bytes of the word count: 0 to 8. */
		left = (s64)length - i * 8;
		sign = left >> 63;
		UNWIND_OPAQUE(sign);
		left = (left & ~sign) - 8;
		sign = left >> 63;
		UNWIND_OPAQUE(sign);
		left = (left & sign) + 8;
		/* In two steps, because one of 64 is none. */
		word &= ~(~0ull << left * 4 << left * 4);
		sum += pyrorec_cookie_word(number + i, word);
	}
	return sum;
}

/* A short text at the end of what is mapped. */
UNWIND_INLINE int python_read_short_text(environment env, struct unwinder *u, u64 head)
{
	struct unwind_python *python = &u->python;
	u64 length;

	if (environment_read_structure(env, python->bytes, PYROREC_PYTHON_TEXT_HEAD, head))
		return 1;
	if (!(python_field(python->bytes, PYROREC_PYTHON_TEXT_STATE) & PYROREC_PYTHON_TEXT_ASCII))
		return 0;
	length = python_field(python->bytes, 0);
	if (length >= PYROREC_PYTHON_TEXT_BYTES)
		return 1;
	return length &&
	       environment_read_structure(env, python->bytes + PYROREC_PYTHON_TEXT_HEAD, length, head + PYROREC_PYTHON_TEXT_HEAD);
}

/* The end of what is long or not ASCII. */
UNWIND_INLINE int python_text_end(environment env, struct unwinder *u, u64 head, u32 number, u64 *sum)
{
	struct unwind_python *python = &u->python;
	u64 length = python_field(python->bytes, 0), state = python_field(python->bytes, PYROREC_PYTHON_TEXT_STATE);
	u64 at = head + PYROREC_PYTHON_TEXT_HEAD, bytes;

	if (!(state & PYROREC_PYTHON_TEXT_ASCII)) {
		at += PYROREC_PYTHON_TEXT_OTHER;
		length *= state >> PYROREC_PYTHON_TEXT_KIND & 7;
	}
	bytes = length < PYROREC_PYTHON_TEXT_BYTES ? length : PYROREC_PYTHON_TEXT_BYTES;
	if (bytes && environment_read_structure(env, python->bytes, bytes, at + length - bytes))
		return 1;
	*sum += python_text_sum(python->bytes, bytes, number + PYTHON_TEXT_END_WORDS);
	return 0;
}

/* Adds to `sum` what the string at `object` says; 0 when it could be read. Before 3.12 only. */
UNWIND_ASIDE int python_text(environment env, struct unwinder *u, u64 object, u32 number, u64 *sum)
{
	if (!env || !u || !sum)
		return 1;
	struct unwind_python *python = &u->python;
	u64 head = object + python->process.string_length, length, is_ascii;

	if (environment_read_structure(env, python->bytes, PYROREC_PYTHON_TEXT_HEAD + PYROREC_PYTHON_TEXT_BYTES, head) &&
	    python_read_short_text(env, u, head))
		return 1;
	length = python_field(python->bytes, 0);
	is_ascii = python_field(python->bytes, PYROREC_PYTHON_TEXT_STATE) & PYROREC_PYTHON_TEXT_ASCII;
	/* The hash, which may have been asked for or not, for what is long. */
	*sum += pyrorec_cookie_word(number, length) + pyrorec_cookie_word(number + 1, python_field(python->bytes, 8));
	if (is_ascii)
		*sum += python_text_sum(python->bytes + PYROREC_PYTHON_TEXT_HEAD, length, number + 2);
	return is_ascii && length <= PYROREC_PYTHON_TEXT_BYTES ? 0 : python_text_end(env, u, head, number, sum);
}

/* Nearly all code of a stack is of a few files. */
UNWIND_INLINE int python_file(environment env, struct unwinder *u, u64 file, u64 *sum)
{
	struct unwind_python *python = &u->python;
	struct unwind_python_file *known =
		&python->files[(u32)(file * 0x9e3779b97f4a7c15ull >> 60) & (UNWIND_PYTHON_FILES - 1)];
	u64 found = 0;

	if (known->file != file || known->sample != python->sample) {
		if (python_text(env, u, file, PYTHON_FILE_WORDS, &found))
			return 1;
		known->file = file;
		known->sum = found;
		known->sample = python->sample;
	}
	*sum += known->sum;
	return 0;
}

/* The cookie from all that it is made of; a failure. */
UNWIND_INLINE u32 python_full_cookie(environment env, struct unwinder *u, u64 code, u64 *cookie)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	u64 sum = 0, name, file;

	if (environment_read_structure(env, python->bytes, python_count(p->code_bytes), code + p->code_from))
		return PYROREC_INTERPRETER_UNREADABLE;
#pragma unroll
	for (int i = 0; i < PYROREC_PYTHON_COOKIE_WORDS; i++)
		sum += pyrorec_cookie_word(i, python_field(python->bytes, p->cookie_words[i]));
	if (p->code_name != PYROREC_OFFSET_NONE) {
		name = python_field(python->bytes, p->code_name);
		file = python_field(python->bytes, p->code_file);
		if (python_text(env, u, name, PYTHON_NAME_WORDS, &sum) || python_file(env, u, file, &sum))
			return PYROREC_INTERPRETER_UNREADABLE;
	}
	*cookie = pyrorec_cookie(sum);
	return PYROREC_INTERPRETER_NO_FAILURE;
}

UNWIND_INLINE u32 python_new_code(environment env, struct unwinder *u, u64 code, u64 cookie)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	u64 type = 0;

	if (environment_read_structure(env, &type, 8, code + p->object_type))
		return PYROREC_INTERPRETER_UNREADABLE;
	if (p->code_type && type != p->code_type)
		return PYROREC_INTERPRETER_NO_CODE;
	if (environment_is_news(env, code ^ cookie << 20 ^ u->generation << 40))
		python->has_news = 1;
	return PYROREC_INTERPRETER_NO_FAILURE;
}

/* Whether so little time has passed since it was looked at, after being there for so long, that the recorder may do that. */
UNWIND_INLINE int python_is_settled(const struct unwind_python_code *known, u64 now)
{
	return now - known->checked < UNWIND_PYTHON_CHECK && known->checked - known->since > UNWIND_PYTHON_SETTLED;
}

UNWIND_INLINE u32 python_check(environment env, struct unwinder *u, struct unwind_python_code *known, u64 code)
{
	struct unwind_python *python = &u->python;
	const struct pyrorec_python_process *p = &python->process;
	int is_known = known->code == code && known->generation == u->generation;
	u64 version = 0, found = 0;
	u32 failure;

	if (p->version_mask) {
		if (environment_read_structure(env, &version, 8, code + p->code_version))
			return PYROREC_INTERPRETER_UNREADABLE;
		if (is_known && known->version == version && version & p->version_mask)
			return PYROREC_INTERPRETER_NO_FAILURE;
	}
	failure = python_full_cookie(env, u, code, &found);
	if (failure)
		return failure;
	if (!is_known || known->cookie != found) {
		failure = python_new_code(env, u, code, found);
		if (failure)
			return failure;
		known->code = code;
		known->cookie = found;
		known->generation = u->generation;
		known->since = environment_time(env);
	}
	known->version = version;
	return PYROREC_INTERPRETER_NO_FAILURE;
}

/*
 * The cookie, above the bits of the instruction. What is known of a code object holds for one sample, in which frames hold it;
 * in the next one it is looked at again. That is a read, which takes three times as long as all else of a frame, so that of
 * code that has long been the same most samples only say that it was not looked at.
 */
UNWIND_INLINE u32 python_cookie(environment env, struct unwinder *u, u64 code, u64 *cookie)
{
	struct unwind_python *python = &u->python;
	struct unwind_python_code *known = environment_codes(env, code);
	u64 now = environment_time(env);
	u32 failure;

	if (known[0].code != code) {
		if (known[1].code == code) {
			known += 1;
		} else {
			known[1] = known[0];
			known[0].code = 0;
		}
	}
	if (known->sample != python->sample || known->code != code) {
		known->unchecked = 0;
		if (known->code == code && known->generation == u->generation && python_is_settled(known, now)) {
			known->unchecked = PYROREC_FRAME_UNCHECKED;
		} else {
			failure = python_check(env, u, known, code);
			if (failure) {
				known->code = 0;
				return failure;
			}
			known->checked = now;
		}
		known->sample = python->sample;
	}
	*cookie = known->cookie << PYROREC_INSTRUCTION_BITS | known->unchecked;
	return PYROREC_INTERPRETER_NO_FAILURE;
}

#endif
