#define _GNU_SOURCE
#include "attach.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void close_keeping_errno(int descriptor) {
  int saved = errno;
  close(descriptor);
  errno = saved;
}

int pyrorec_directory_below(const char *root, const char *path) {
  int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (top < 0) return -1;
  struct open_how how = {
      .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
      .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  };
  int directory;
  do {
    directory = (int)syscall(SYS_openat2, top, path, &how, sizeof how);
  } while (directory < 0 && errno == EINTR);
  close_keeping_errno(top);
  return directory;
}

int pyrorec_create_in(int directory, const char *name, mode_t mode, uid_t user, gid_t group) {
  int file = openat(directory, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) return -1;
  // Where it may not be given away it stays ours, which the other side may accept too.
  if (fchown(file, user, group)) errno = 0;
  return file;
}

int pyrorec_open_in(int directory, const char *name, bool looks_only) {
  int flags = looks_only ? O_PATH : O_RDONLY | O_NONBLOCK;
  return openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC);
}

int pyrorec_open_to_write_in(int directory, const char *name) {
  return openat(directory, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
}

int pyrorec_free_range(int file, uint64_t offset, uint64_t length) {
  return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)length);
}

int pyrorec_make_directory_in(int directory, const char *name) { return mkdirat(directory, name, 0755); }

int pyrorec_directory_in(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int pyrorec_remove_directory_in(int directory, const char *name) { return unlinkat(directory, name, AT_REMOVEDIR); }

int pyrorec_remove_in(int directory, const char *name) { return unlinkat(directory, name, 0); }

// The C library's own functions change every thread's identity; the system calls change this one's.
static int become(uid_t user, gid_t group, bool groups_first) {
  if (groups_first && syscall(SYS_setresgid, -1, group, -1)) return -1;
  if (syscall(SYS_setresuid, -1, user, -1)) return -1;
  if (!groups_first && syscall(SYS_setresgid, -1, group, -1)) return -1;
  return 0;
}

int pyrorec_connect(int place, bool switches, uid_t user, gid_t group, int milliseconds) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
  int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  uid_t own_user = geteuid();
  gid_t own_group = getegid();
  int status = switches ? become(user, group, true) : 0;
  if (status == 0) {
    do {
      status = connect(connection, (struct sockaddr *)&address, sizeof address);
    } while (status && errno == EINTR);
  }
  int code = errno;
  // The real user is still ours, so this cannot fail; a thread that stayed somebody else must not go on.
  if (switches && become(own_user, own_group, false)) _exit(126);
  if (status) {
    close(connection);
    errno = code;
    return -1;
  }
  return connection;
}

int pyrorec_process_descriptor(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int pyrorec_signal_quit(int process) { return (int)syscall(SYS_pidfd_send_signal, process, SIGQUIT, NULL, 0); }
