/*
 * The peer of the unwind table builder: a plain C reader of .eh_frame that executes the call-frame instructions of every
 * function and writes rows of 16 bytes (address, CFA, frame pointer), in order and without repetitions. It trusts its input,
 * knows x86-64 only, and stops where a real one would go on: page index, shared rules, gaps, other sections.
 *
 *   cfi FILE…    rows and the user and system time of the fastest of 5 runs
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct row { uint64_t address; int32_t cfa; uint8_t cfa_register, kind; int16_t fp; };
struct state { int64_t cfa, fp; uint8_t cfa_register, kind, has_fp; };
struct function { uint64_t start, end; const uint8_t *code, *code_end; const struct common *common; };
struct common { const uint8_t *at; uint64_t code_alignment; int64_t data_alignment; int ra, encoding, augmented; struct state initial; };

static struct row *rows;
static size_t row_count, row_room;

static uint64_t uleb(const uint8_t **at)
{
	uint64_t value = 0;
	int shift = 0;
	uint8_t byte;
	do {
		byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

static int64_t sleb(const uint8_t **at)
{
	int64_t value = 0;
	int shift = 0;
	uint8_t byte;
	do {
		byte = *(*at)++;
		value |= (int64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return byte & 0x40 && shift < 64 ? value | -(1LL << shift) : value;
}

static uint32_t u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, 4);
	return value;
}

static void emit(uint64_t address, const struct state *s)
{
	struct row row = { address, (int32_t)s->cfa, s->cfa_register, s->kind, s->has_fp ? (int16_t)s->fp : 1 };
	if (row_count) {
		struct row *last = &rows[row_count - 1];
		if (!memcmp((char *)last + 8, (char *)&row + 8, 8))
			return;
		if (last->address == address) {
			*last = row;
			return;
		}
	}
	if (row_count == row_room) {
		row_room = row_room ? 2 * row_room : 4096;
		rows = realloc(rows, row_room * sizeof *rows);
	}
	rows[row_count++] = row;
}

static void save(struct state *s, const struct common *c, uint64_t reg, int has, int64_t offset)
{
	if (reg == 6) {
		s->has_fp = has;
		s->fp = offset;
	} else if (reg == (uint64_t)c->ra) {
		s->kind = has ? s->kind & ~1 : s->kind | 1;
	}
}

static void run(const uint8_t *at, const uint8_t *end, const struct common *c, struct state *s, uint64_t address, int rows_wanted)
{
	struct state remembered[16];
	int depth = 0;
	while (at < end) {
		uint8_t code = *at++;
		uint64_t low = code & 0x3f, reg, size, next = address;
		switch (code >> 6) {
		case 1: next += low * c->code_alignment; break;
		case 2: save(s, c, low, 1, (int64_t)uleb(&at) * c->data_alignment); continue;
		case 3: save(s, c, low, low == 6 ? c->initial.has_fp : 1, c->initial.fp); continue;
		default:
			switch (code) {
			case 0x00: continue;
			case 0x02: next += *at++ * c->code_alignment; break;
			case 0x03: next += (at[0] | at[1] << 8) * c->code_alignment; at += 2; break;
			case 0x04: next += u32(at) * c->code_alignment; at += 4; break;
			case 0x05: reg = uleb(&at); save(s, c, reg, 1, (int64_t)uleb(&at) * c->data_alignment); continue;
			case 0x11: reg = uleb(&at); save(s, c, reg, 1, sleb(&at) * c->data_alignment); continue;
			case 0x06: reg = uleb(&at); save(s, c, reg, reg == 6 ? c->initial.has_fp : 1, c->initial.fp); continue;
			case 0x07: case 0x08: save(s, c, uleb(&at), 0, 0); continue;
			case 0x09: reg = uleb(&at); uleb(&at); save(s, c, reg, 0, 0); continue;
			case 0x0a: if (depth < 16) remembered[depth++] = *s; continue;
			case 0x0b: if (depth) *s = remembered[--depth]; continue;
			case 0x0c: s->cfa_register = uleb(&at); s->cfa = uleb(&at); s->kind &= ~2; continue;
			case 0x0d: s->cfa_register = uleb(&at); s->kind &= ~2; continue;
			case 0x0e: s->cfa = uleb(&at); continue;
			case 0x12: s->cfa_register = uleb(&at); s->cfa = sleb(&at) * c->data_alignment; s->kind &= ~2; continue;
			case 0x13: s->cfa = sleb(&at) * c->data_alignment; continue;
			case 0x0f: size = uleb(&at); at += size; s->kind |= 2; continue;
			case 0x10: case 0x16: reg = uleb(&at); size = uleb(&at); at += size; save(s, c, reg, 0, 0); continue;
			case 0x14: case 0x15: reg = uleb(&at); uleb(&at); save(s, c, reg, 0, 0); continue;
			case 0x2e: uleb(&at); continue;
			default: return;
			}
		}
		if (rows_wanted)
			emit(address, s);
		address = next;
	}
	if (rows_wanted)
		emit(address, s);
}

static int by_start(const void *a, const void *b)
{
	const struct function *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

static void read_frames(const uint8_t *base, uint64_t size, uint64_t address)
{
	const uint8_t *at = base, *end = base + size;
	struct function *functions = NULL;
	size_t count = 0, room = 0;
	struct common *commons = calloc(4096, sizeof *commons);
	size_t common_count = 0;
	row_count = 0;
	while (at + 4 <= end) {
		uint32_t length = u32(at);
		const uint8_t *next = at + 4 + length, *body = at + 8;
		if (!length || length == 0xffffffff) {
			at += 4;
			continue;
		}
		if (!u32(at + 4)) {
			struct common *c = &commons[common_count < 4095 ? common_count++ : common_count];
			const char *letters = (const char *)++body;
			body += strlen(letters) + 1;
			memset(c, 0, sizeof *c);
			c->at = at;
			c->code_alignment = uleb(&body);
			c->data_alignment = sleb(&body);
			c->ra = uleb(&body);
			if (*letters == 'z') {
				uint64_t data = uleb(&body);
				const uint8_t *q = body;
				c->augmented = 1;
				for (letters++; *letters; letters++) {
					if (*letters == 'R') c->encoding = *q++;
					else if (*letters == 'L') q++;
					else if (*letters == 'P') { q += (*q & 0xf) == 0 ? 9 : 5; }
				}
				body += data;
			}
			run(body, next, c, &c->initial, 0, 0);
		} else {
			const uint8_t *common = at + 4 - u32(at + 4);
			size_t i = common_count;
			while (i && commons[i - 1].at != common)
				i--;
			if (i && commons[i - 1].encoding == 0x1b) {
				uint64_t start = address + (body - base) + (int64_t)(int32_t)u32(body);
				struct function f = { start, start + u32(body + 4), body + 8, next, &commons[i - 1] };
				if (f.common->augmented) {
					uint64_t data = uleb(&f.code);
					f.code += data;
				}
				if (count == room) {
					room = room ? 2 * room : 1024;
					functions = realloc(functions, room * sizeof *functions);
				}
				functions[count++] = f;
			}
		}
		at = next;
	}
	qsort(functions, count, sizeof *functions, by_start);
	for (size_t i = 0; i < count; i++) {
		struct state s = functions[i].common->initial;
		run(functions[i].code, functions[i].code_end, functions[i].common, &s, functions[i].start, 1);
	}
	free(functions);
	free(commons);
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY);
		struct stat status;
		if (fd < 0 || fstat(fd, &status))
			return 1;
		const uint8_t *file = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		const Elf64_Ehdr *header = (const void *)file;
		const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);
		const char *names = (const char *)file + sections[header->e_shstrndx].sh_offset;
		double best = 1e9;
		for (int n = 0; n < header->e_shnum; n++) {
			if (strcmp(names + sections[n].sh_name, ".eh_frame") || sections[n].sh_type == SHT_NOBITS)
				continue;
			for (int round = 0; round < 5; round++) {
				double start = cpu();
				free(rows);
				rows = NULL;
				row_room = 0;
				read_frames(file + sections[n].sh_offset, sections[n].sh_size, sections[n].sh_addr);
				double spent = cpu() - start;
				if (spent < best)
					best = spent;
			}
		}
		printf("%s rows %zu ms %.2f\n", argv[i], row_count, best * 1e3);
		munmap((void *)file, status.st_size);
		close(fd);
	}
	return 0;
}
