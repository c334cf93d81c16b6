// runtimes PID: of every BPF program that a descriptor of the process holds its name, how often it ran and how many
// nanoseconds it took (kernel.bpf_stats_enabled must be on).
#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char path[300], line[256];
  unsigned seen[64], count = 0;
  snprintf(path, sizeof path, "/proc/%s/fdinfo", argc > 1 ? argv[1] : "self");
  DIR *directory = opendir(path);
  if (!directory) return 1;
  for (struct dirent *entry; (entry = readdir(directory));) {
    snprintf(path, sizeof path, "/proc/%s/fdinfo/%.20s", argv[1], entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    while (fgets(line, sizeof line, file)) {
      unsigned id, known = 0;
      if (sscanf(line, "prog_id: %u", &id) != 1) continue;
      for (unsigned i = 0; i < count; i++) known |= seen[i] == id;
      if (known || count == 64) continue;
      seen[count++] = id;
      int program = bpf_prog_get_fd_by_id(id);
      struct bpf_prog_info info = {0};
      __u32 size = sizeof info;
      if (program >= 0 && !bpf_obj_get_info_by_fd(program, &info, &size))
        printf("%s %llu %llu\n", info.name, (unsigned long long)info.run_cnt, (unsigned long long)info.run_time_ns);
      if (program >= 0) close(program);
    }
    fclose(file);
  }
  return 0;
}
