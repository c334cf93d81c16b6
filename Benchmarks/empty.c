// empty OBJECT HZ SECONDS: attaches the empty sampler to the CPU clock of every CPU for SECONDS.
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 4) return 64;
  struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
  if (!object || bpf_object__load(object)) return 1;
  struct bpf_program *program = bpf_object__find_program_by_name(object, "nothing");
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  for (long cpu = 0; cpu < cpus; cpu++) {
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK,
                                   .freq = 1, .sample_freq = (unsigned)atoi(argv[2])};
    int event = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0 || !bpf_program__attach_perf_event(program, event)) return 1;
  }
  usleep((useconds_t)(atof(argv[3]) * 1e6));
  return 0;
}
