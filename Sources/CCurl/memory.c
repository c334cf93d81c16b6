#define _GNU_SOURCE
#include "include/pyrorec_http.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int pyrorec_memory_file(const void *bytes, size_t length) {
  int file = memfd_create("pyrorec", MFD_CLOEXEC);
  if (file < 0) return -1;
  const char *rest = bytes;
  while (length > 0) {
    ssize_t put = write(file, rest, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      close(file);
      return -1;
    }
    rest += put;
    length -= (size_t)put;
  }
  return file;
}

void pyrorec_close(int file) { close(file); }
int pyrorec_process_id(void) { return getpid(); }
