// sampling OBJECT PROGRAM RECORDER TARGET HZ SECONDS: loads a build of the sampler beside a running recorder, whose unwind tables
// it shares, attaches PROGRAM to the CPU clock of process TARGET alone and prints
//
//   samples N frames N.N complete N ns N mean N instructions N
//
// with the user frames a sample and the time in the program a sample: the median of short intervals, because one that the
// machine itself interrupted is no measure of the program, and the mean beside it. Builds differ in how they are compiled
// only, so the tables, the process and the moment are the same for all of them. RECORDER 0: nothing is shared.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "pyrorec_abi.h"

static unsigned long samples, frames, complete;

static int take(void *context, void *data, size_t size) {
  (void)context, (void)size;
  const struct pyrorec_sample *sample = data;
  samples += 1;
  frames += sample->user_frames;
  complete += sample->result == PYROREC_UNWIND_COMPLETE || sample->result == PYROREC_UNWIND_FRAME_POINTERS;
  return 0;
}

// Gives `object` the maps of unwind tables that the recorder holds, by name; the kernel keeps 15 letters of one.
static int share(struct bpf_object *object, const char *recorder) {
  char path[300], line[256];
  int shared = 0;
  snprintf(path, sizeof path, "/proc/%s/fdinfo", recorder);
  DIR *directory = opendir(path);
  if (!directory) return 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    snprintf(path, sizeof path, "/proc/%s/fdinfo/%.20s", recorder, entry->d_name);
    FILE *file = fopen(path, "r");
    unsigned id;
    if (!file) continue;
    while (fgets(line, sizeof line, file)) {
      if (sscanf(line, "map_id: %u", &id) != 1) continue;
      int found = bpf_map_get_fd_by_id(id);
      struct bpf_map_info info = {0};
      __u32 size = sizeof info;
      if (found < 0 || bpf_obj_get_info_by_fd(found, &info, &size)) continue;
      struct bpf_map *map;
      bpf_object__for_each_map(map, object) {
        const char *name = bpf_map__name(map);
        // Where a sample is put together, and the cache beside it, is each program's own.
        if (strcmp(name, "python_processes") && (strncmp(name, "unwind_", 7) || !strcmp(name, "unwind_scratches"))) continue;
        if (!strncmp(name, info.name, sizeof info.name - 1) && !bpf_map__reuse_fd(map, found)) shared++;
      }
      close(found);
    }
    fclose(file);
  }
  closedir(directory);
  return shared;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc < 7) return 64;
  int target = atoi(argv[4]);
  double hertz = atof(argv[5]), seconds = atof(argv[6]);
  struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
  if (!object) return 1;
  struct bpf_program *program;
  bpf_object__for_each_program(program, object)
    bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), argv[2]));
  struct bpf_map *map;
  bpf_object__for_each_map(map, object) {
    const char *name = bpf_map__name(map);
    size_t size;
    if (!strcmp(name, "unwind_scratches")) bpf_map__set_max_entries(map, libbpf_num_possible_cpus());
    if (!strcmp(name, "events")) bpf_map__set_max_entries(map, 8 << 20);
    if (strstr(name, ".rodata")) {
      struct pyrorec_settings *settings = (void *)bpf_map__initial_value(map, &size);
      if (settings && size >= sizeof *settings) settings->wakeup_bytes = 2 << 20;
    }
  }
  if (atoi(argv[3]) && share(object, argv[3]) < 5) {
    fprintf(stderr, "process %s holds no unwind tables\n", argv[3]);
    return 1;
  }
  program = bpf_object__find_program_by_name(object, argv[2]);
  if (!program || bpf_object__load(object)) return 1;
  struct ring_buffer *ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), take, NULL, NULL);
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK,
                                 .freq = 1, .sample_freq = (unsigned)hertz};
  int event = (int)syscall(SYS_perf_event_open, &attr, target, -1, -1, PERF_FLAG_FD_CLOEXEC);
  int statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (!ring || event < 0 || statistics < 0 || !bpf_program__attach_perf_event(program, event)) {
    fprintf(stderr, "cannot sample process %d: %s\n", target, strerror(errno));
    return 1;
  }
  struct bpf_prog_info info, before = {0};
  // Some two samples an interval, and no more than fifty intervals a second.
  unsigned pause = (unsigned)(2e6 / hertz);
  if (pause < 20000) pause = 20000;
  size_t count = 0, room = (size_t)(seconds * 1e6 / pause) + 1;
  double *spent = calloc(room, sizeof *spent);
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int round = 0; count < room; round++) {
    usleep(pause);
    __u32 size = sizeof info;
    memset(&info, 0, sizeof info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) return 1;
    if (info.run_cnt > before.run_cnt)
      spent[count++] = (double)(info.run_time_ns - before.run_time_ns) / (double)(info.run_cnt - before.run_cnt);
    before = info;
    if (round % 25 == 24) ring_buffer__consume(ring);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 >= seconds) break;
  }
  ring_buffer__consume(ring);
  qsort(spent, count, sizeof *spent, by_value);
  printf("samples %lu frames %.1f complete %lu ns %.0f mean %.0f instructions %u\n", samples,
         samples ? (double)frames / (double)samples : 0, complete, count ? spent[count / 2] : 0,
         info.run_cnt ? (double)info.run_time_ns / (double)info.run_cnt : 0, info.xlated_prog_len / 8);
  return 0;
}
