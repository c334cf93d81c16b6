/*
 * probe OBJECT PROGRAM TABLE SECONDS [ARGUMENT…]
 *
 * Runs PROGRAM, a static one at fixed addresses, has it sampled and unwound in the kernel by the sampler in OBJECT, and prints
 * a line a sample: the unwind result, then the frames, innermost first. TABLE is what `unwind-tables --rows PROGRAM` says.
 * For machines that the recorder itself cannot be built for yet (scripts/try-arm64).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pyrorec_abi.h"

static struct pyrorec_unwind_rule rules[PYROREC_MAX_RULES];
static __u32 rule_count;
static __u64 (*rows)[2];
static size_t row_count;
static pid_t child;

static void fail(const char *what)
{
	perror(what);
	if (child > 0)
		kill(child, SIGKILL);
	exit(1);
}

static const char *number(const char *text, __s32 *value)
{
	char *end;
	*value = (__s32)strtol(text, &end, 10);
	return end;
}

static const char *register_name(const char *text, __u8 *code)
{
	__s32 value = 0;
	if (!strncmp(text, "sp", 2) || !strncmp(text, "fp", 2) || !strncmp(text, "lr", 2)) {
		*code = text[0] == 's' ? PYROREC_REGISTER_SP : text[0] == 'f' ? PYROREC_REGISTER_FP : PYROREC_REGISTER_LR;
		return text + 2;
	}
	text = number(text + 1, &value);
	*code = (__u8)(PYROREC_REGISTER_NUMBERED + value);
	return text;
}

/* c-8, a register, *(register+offset), same or u. */
static void value(const char *text, __u8 *kind, __u8 *code, __s32 *offset)
{
	if (!strncmp(text, "same", 4)) {
		*kind = PYROREC_VALUE_SAME;
	} else if (text[0] == 'c') {
		*kind = PYROREC_VALUE_AT_CFA;
		number(text + 1, offset);
	} else if (text[0] == '*') {
		*kind = PYROREC_VALUE_AT_REGISTER;
		number(register_name(text + 2, code), offset);
	} else if (text[0] == 'u') {
		*kind = PYROREC_VALUE_UNDEFINED;
	} else {
		*kind = PYROREC_VALUE_IN_REGISTER;
		register_name(text, code);
	}
}

static __u32 rule_number(const char *text)
{
	static const char *const names[] = {"none", "stop", "plt11", "plt10", "signal", "frame-pointer", "unsupported"};
	struct pyrorec_unwind_rule rule = {0};
	const char *ra, *fp;

	for (__u32 i = 0; i < sizeof names / sizeof *names; i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			return i;
	ra = strstr(text, " ra=");
	fp = strstr(text, " fp=");
	if (strncmp(text, "cfa=", 4) || !ra || !fp)
		return PYROREC_RULE_UNSUPPORTED;
	text += 4;
	if (*text == '*') {
		rule.cfa_kind = PYROREC_CFA_DEREF;
		text = number(register_name(text + 2, &rule.cfa_register), &rule.cfa_offset);
		number(text + 2, &rule.cfa_add);
	} else {
		number(register_name(text, &rule.cfa_register), &rule.cfa_offset);
	}
	value(ra + 4, &rule.ra_kind, &rule.ra_register, &rule.ra_offset);
	value(fp + 4, &rule.fp_kind, &rule.fp_register, &rule.fp_offset);
	for (__u32 i = 0; i < rule_count; i++)
		if (!memcmp(&rules[i], &rule, sizeof rule))
			return PYROREC_RULE_FIRST + i;
	if (rule_count == PYROREC_MAX_RULES)
		return PYROREC_RULE_UNSUPPORTED;
	rules[rule_count] = rule;
	return PYROREC_RULE_FIRST + rule_count++;
}

static void read_table(const char *path)
{
	char line[256];
	FILE *file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fgets(line, sizeof line, file)) {
		char *end;
		__u64 address = strtoull(line, &end, 16);
		rows = realloc(rows, (row_count + 1) * sizeof *rows);
		rows[row_count][0] = address;
		rows[row_count++][1] = rule_number(end + 1);
	}
	fclose(file);
	if (!row_count || row_count > PYROREC_CHUNK_ROWS)
		fail("a table of one chunk is needed");
}

static void put(int map, __u32 key, const void *entry)
{
	if (bpf_map_update_elem(map, &key, entry, 0))
		fail("bpf_map_update_elem");
}

static int map(struct bpf_object *object, const char *name)
{
	int descriptor = bpf_object__find_map_fd_by_name(object, name);
	if (descriptor < 0)
		fail(name);
	return descriptor;
}

/* Where in the vDSO signal handlers return to: mov x8, #139; svc #0. The same in every process. 0 for nowhere. */
static __u32 signal_return(void)
{
	const __u32 *code = (const __u32 *)getauxval(AT_SYSINFO_EHDR);
	for (__u32 i = 0; code && i < 1024; i++)
		if (code[i] == 0xd2801168 && code[i + 1] == 0xd4000001)
			return i * 4;
	return 0;
}

/* A page of `count` rows, `first` of the chunk on: how many begin before each of its parts. */
static struct pyrorec_unwind_page page_of(const struct pyrorec_unwind_chunk *chunk, __u32 first, __u32 count, __u32 before)
{
	struct pyrorec_unwind_page page = {.first = first, .before = before};

	for (__u32 i = first; i < first + count; i++)
		for (__u32 part = ((chunk->rows[i] & 0xffff) * PYROREC_PAGE_PARTS >> 16) + 1; part <= PYROREC_PAGE_PARTS; part++)
			page.starts[part]++;
	return page;
}

static void publish(struct bpf_object *object)
{
	static struct pyrorec_unwind_chunk chunk;
	static struct pyrorec_unwind_mappings mappings;
	__u64 first = rows[0][0] >> 16, last = rows[row_count - 1][0] >> 16;
	__u32 before = PYROREC_RULE_NONE, at = 0, count = 0, key = child;

	for (size_t i = 0; i < row_count; i++)
		chunk.rows[i] = (__u32)(rows[i][0] & 0xffff) | (__u32)rows[i][1] << 16;
	/* The vDSO's rows and page come after the program's: it says nothing but where signal handlers return to. As in the
	   recorder's tables, up to the instruction behind the system call. */
	__u32 trampoline = signal_return(), vdso_page = last - first + 1;
	if (row_count + 2 < PYROREC_CHUNK_ROWS && trampoline) {
		chunk.rows[row_count] = (trampoline - 1) | PYROREC_RULE_SIGNAL << 16;
		chunk.rows[row_count + 1] = (trampoline + 12) | PYROREC_RULE_NONE << 16;
		struct pyrorec_unwind_page entry = page_of(&chunk, row_count, 2, PYROREC_RULE_NONE);
		put(map(object, "unwind_pages"), vdso_page, &entry);
	}
	put(map(object, "unwind_chunks"), 0, &chunk);
	for (__u64 page = first; page <= last; page++) {
		__u32 begin = at, rule = before;
		while (at < row_count && rows[at][0] >> 16 == page)
			before = rows[at++][1];
		struct pyrorec_unwind_page entry = page_of(&chunk, begin, at - begin, rule);
		put(map(object, "unwind_pages"), page - first, &entry);
	}
	for (__u32 i = 0; i < rule_count; i++)
		put(map(object, "unwind_rules"), i, &rules[i]);

	char path[64], line[512];
	snprintf(path, sizeof path, "/proc/%d/maps", child);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file)) {
		unsigned long begin, end;
		char access[8] = "";
		if (sscanf(line, "%lx-%lx %7s", &begin, &end, access) != 3 || access[2] != 'x')
			continue;
		int is_vdso = strstr(line, "[vdso]") && trampoline;
		int is_program = begin <= rows[row_count / 2][0] && rows[row_count / 2][0] < end;
		mappings.entry[count++] = (struct pyrorec_unwind_mapping){
			.begin = begin, .end = end, .bias = is_program ? first << 16 : begin,
			.table = is_program ? (last - first + 1) << 32 : is_vdso ? 1ull << 32 | vdso_page : PYROREC_ABSENCE_NO_TABLE};
	}
	put(map(object, "unwind_mappings"), 0, &mappings);
	struct pyrorec_unwind_process process = {.first = 0, .count = count, .generation = 1};
	put(map(object, "unwind_processes"), key, &process);
}

static int print(void *context, void *data, size_t size)
{
	const struct pyrorec_sample *sample = data;
	(void)context, (void)size;
	if (sample->pid != (__u32)child)
		return 0;
	printf("%u", sample->result);
	for (__u32 i = 0; i < sample->user_frames; i++)
		printf(" %llx", (unsigned long long)sample->words[i]);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 64;
	read_table(argv[3]);
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	struct bpf_program *program;
	struct bpf_map *each;
	size_t size;
	if (!object)
		fail(argv[1]);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), "on_sample_tables"));
	int cpus = libbpf_num_possible_cpus();
	bpf_object__for_each_map(each, object) {
		if (!strcmp(bpf_map__name(each), "unwind_scratches"))
			bpf_map__set_max_entries(each, cpus);
		if (strstr(bpf_map__name(each), ".rodata") && !strstr(bpf_map__name(each), "names")) {
			struct pyrorec_settings *settings = (void *)bpf_map__initial_value(each, &size);
			if (settings && size >= sizeof *settings)
				settings->wakeup_bytes = 1 << 18;
		}
	}
	if (bpf_object__load(object))
		fail("loading the sampler");
	fprintf(stderr, "loaded\n");
	if (!(child = fork())) {
		execv(argv[2], (char *[]){argv[2], argc > 5 ? argv[5] : NULL, argc > 6 ? argv[6] : NULL, argv[4], NULL});
		_exit(127);
	}
	usleep(300000);
	publish(object);
	program = bpf_object__find_program_by_name(object, "on_sample_tables");
	for (int cpu = 0; cpu < cpus; cpu++) {
		struct perf_event_attr attr = {.size = sizeof attr, .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK,
					       .freq = 1, .sample_freq = 199};
		int event = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (event < 0 || !bpf_program__attach_perf_event(program, event))
			fail("attaching the sampler");
	}
	struct ring_buffer *ring = ring_buffer__new(map(object, "events"), print, NULL, NULL);
	if (!ring)
		fail("the ring buffer");
	int status;
	while (!waitpid(child, &status, WNOHANG)) {
		usleep(100000);
		ring_buffer__consume(ring);
	}
	ring_buffer__consume(ring);
	return 0;
}
