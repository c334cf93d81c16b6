// Opening files of another root directory.
#define _GNU_SOURCE
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int pyrorec_open_below(const char *root, const char *path, bool looks_only) {
  int directory = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  struct open_how how = {
      .flags = O_CLOEXEC | (looks_only ? O_PATH : O_RDONLY | O_NONBLOCK),
      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };
  int file;
  do {
    file = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
  } while (file < 0 && errno == EINTR);
  int saved = errno;
  close(directory);
  errno = saved;
  return file;
}
