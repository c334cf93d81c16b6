/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * Interpreters: what the recorder tells the unwinder of a process that runs one, and what the unwinder gives back.
 *
 * A frame of an interpreter takes two words of a stack, in place of the frames of the function that ran it. Both have bit
 * 63 set, which no address of a process has. The first: the interpreter's space in bits 56 to 62, below it the address of
 * the code it runs. The second: the instruction in the low bits, above it a cookie of that code, by which whoever reads it
 * later tells whether it is still the same, in bit 62 PYROREC_FRAME_UNCHECKED.
 *
 * A first word with address 0 says that the walk failed here; the second is why (enum pyrorec_interpreter_failure). The
 * frames of the function that ran the interpreter follow.
 */
#ifndef PYROREC_INTERPRETER_H
#define PYROREC_INTERPRETER_H

#include <linux/types.h>

/* The spaces of stack nodes from 16 on (docs/trace-format.md, section 9). */
enum pyrorec_interpreter {
	PYROREC_INTERPRETER_PYTHON = 16,
};

#define PYROREC_FRAME_MARK (1ull << 63)
#define PYROREC_FRAME_SPACE_BIT 56
#define PYROREC_FRAME_ADDRESS ((1ull << PYROREC_FRAME_SPACE_BIT) - 1)
#define PYROREC_INSTRUCTION_BITS 28
/* Where in its code a frame stands could not be told. */
#define PYROREC_INSTRUCTION_UNKNOWN ((1u << PYROREC_INSTRUCTION_BITS) - 1)
#define PYROREC_COOKIE_BITS 34
/*
 * What a sample keeps of an interpreter's frames when its native ones wait for tables: the address of the innermost call's
 * structure (3.11, 3.12) or 0, then three words a frame, innermost first: its address, and the two of a stack, or zeros where
 * it runs no code.
 */
#define PYROREC_KEPT_FRAMES 512
#define PYROREC_KEPT_WORDS (1 + 3 * PYROREC_KEPT_FRAMES)
/* Of its address: the frame is the outermost of its call (3.11). */
#define PYROREC_KEPT_ENTRY (1ull << 63)
/*
 * Of the second word: the cookie is that of an earlier sample, and nobody has looked since whether it is the same code. It is
 * when it still is at some time after the sample.
 */
#define PYROREC_FRAME_UNCHECKED (1ull << 62)

enum pyrorec_interpreter_failure {
	PYROREC_INTERPRETER_NO_FAILURE = 0,
	/* No thread state of the interpreter belongs to the thread. */
	PYROREC_INTERPRETER_NO_THREAD = 1,
	/* A structure could not be read: paged out, or not where it was thought to be. */
	PYROREC_INTERPRETER_UNREADABLE = 2,
	/* A frame runs what is no code object. */
	PYROREC_INTERPRETER_NO_CODE = 3,
	/* More frames, or thread states, than the walk looks at. */
	PYROREC_INTERPRETER_LIMIT = 4,
};

/* How an interpreter's frames end where C called it. */
enum pyrorec_python_style {
	/* 3.6 to 3.10: a call of the evaluation function for each frame. */
	PYROREC_PYTHON_FRAME_A_CALL = 0,
	/* 3.11: the outermost frame of a call says so. */
	PYROREC_PYTHON_ENTRY_FLAG = 1,
	/* From 3.12 on: behind the outermost frame of a call comes one that runs no code. */
	PYROREC_PYTHON_ENTRY_FRAME = 2,
};

/* Processes that run an interpreter, at once. */
#define PYROREC_MAX_INTERPRETER_PROCESSES 16384

#define PYROREC_PYTHON_RANGES 4
#define PYROREC_PYTHON_COOKIE_WORDS 6
#define PYROREC_OFFSET_NONE 0xffff
/* Bytes that are read of each structure at most: every offset and what is there end below. */
#define PYROREC_PYTHON_BYTES 256

/*
 * Strings of 3.6 to 3.11, from the length on: the hash, the state with bits for ASCII and the bytes of a character, a pointer,
 * and what an ASCII string says; other strings say it later.
 */
#define PYROREC_PYTHON_TEXT_HEAD 32
#define PYROREC_PYTHON_TEXT_STATE 16
#define PYROREC_PYTHON_TEXT_KIND 2
#define PYROREC_PYTHON_TEXT_ASCII 64
#define PYROREC_PYTHON_TEXT_OTHER 24
/* So many bytes of its beginning and of its end are part of the cookie. */
#define PYROREC_PYTHON_TEXT_BYTES 40

/* A process that runs CPython. Offsets are in bytes. */
struct pyrorec_python_process {
	/* The code of the evaluation function; begin == end: none. */
	__u64 begin[PYROREC_PYTHON_RANGES];
	__u64 end[PYROREC_PYTHON_RANGES];
	/* Where the pointer to the first interpreter state lies. */
	__u64 interpreters;
	/* The type of code objects; 0: not known. */
	__u64 code_type;
	/* Which bits of a word of a code object are its version, which no other one has; 0 for none. */
	__u64 version_mask;
	/* The interpreter state: the next one, the first of its thread states. */
	__u32 interpreter_next;
	__u32 interpreter_threads;
	/* The thread state. `frame`, or `cframe` that points to a structure with the frame at `cframe_current`. */
	__u16 thread_next;
	__u16 thread_id;
	__u16 thread_frame;
	__u16 thread_cframe;
	__u16 cframe_current;
	/* The frame. */
	__u16 frame_code;
	__u16 frame_previous;
	__u16 frame_instruction;
	/* A byte: the entry flag (3.11), or the owner. */
	__u16 frame_entry;
	/* The code object: where its instructions begin; PYROREC_OFFSET_NONE: the frame has a number of the instruction. */
	__u16 code_instructions;
	/* Of those numbers: how many bits to shift them right to count in units of two bytes. */
	__u16 instruction_shift;
	/* enum pyrorec_python_style */
	__u16 style;
	/* From this owner on a frame runs no code. */
	__u16 entry_owner;
	/* Of any object: where its type lies. Of a string: its length. */
	__u16 object_type;
	__u16 string_length;
	/* Bytes to read of a thread state, a frame. */
	__u16 thread_bytes;
	__u16 frame_bytes;
	/* What is read of a code object, and in there the words that the cookie is made of. */
	__u16 code_from;
	__u16 code_bytes;
	__u16 cookie_words[PYROREC_PYTHON_COOKIE_WORDS];
	/* In there the name and the file, which are part of the cookie too; PYROREC_OFFSET_NONE: they are not. */
	__u16 code_name;
	__u16 code_file;
	/* Where the word of a code object that has its version lies. */
	__u16 code_version;
};

#define PYROREC_COOKIE_FACTOR 0xff51afd7ed558ccdull
#define PYROREC_COOKIE_STEP 0x3c6ef372fe94f82aull

/* What the word of that number adds to a cookie: each has a factor of its own, so that they need not wait for one another. */
static inline __attribute__((always_inline)) __u64 pyrorec_cookie_word(__u32 number, __u64 word)
{
	return word * (PYROREC_COOKIE_FACTOR + number * PYROREC_COOKIE_STEP);
}

/* The cookie, of PYROREC_COOKIE_BITS bits. */
static inline __attribute__((always_inline)) __u64 pyrorec_cookie(__u64 sum)
{
	return (sum ^ sum >> 32) * PYROREC_COOKIE_FACTOR >> (64 - PYROREC_COOKIE_BITS);
}

#endif
