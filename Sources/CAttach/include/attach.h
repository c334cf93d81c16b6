// What a profiler does in the file system of a process it does not trust, and how it speaks to that process.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Opens the directory `path` as a process sees it whose root is `root`, for the calls below; no link leads out of `root`.
/// -1, and errno.
int pyrorec_directory_below(const char *root, const char *path);

/// Makes the empty file `name`, owned by `user` and `group` where that may be set. -1, and errno: EEXIST when it is there.
int pyrorec_create_in(int directory, const char *name, mode_t mode, uid_t user, gid_t group);

/// Opens the file `name` for reading, following no link. -1, and errno.
int pyrorec_open_in(int directory, const char *name, bool looks_only);

/// The same for writing.
int pyrorec_open_to_write_in(int directory, const char *name);

/// Gives those bytes of a file back to the file system: they read as zeros, and the file stays as long as it is. 0, or -1 and
/// errno: EOPNOTSUPP where the file system cannot.
int pyrorec_free_range(int file, uint64_t offset, uint64_t length);

/// A new directory that only its owner can change, a directory that is there (no link), and the end of an empty one.
/// -1, and errno.
int pyrorec_make_directory_in(int directory, const char *name);
int pyrorec_directory_in(int directory, const char *name);
int pyrorec_remove_directory_in(int directory, const char *name);

/// 0, or -1 and errno.
int pyrorec_remove_in(int directory, const char *name);

/// Connects to the UNIX socket that `place`, opened to look only, names; as `user` and `group` when `switches`, so that the
/// other side sees those. Reads and writes give up after `milliseconds`. -1, and errno.
int pyrorec_connect(int place, bool switches, uid_t user, gid_t group, int milliseconds);

/// The process `pid` (pidfd_open(2)), so that a signal reaches it and no later one of that number. -1, and errno.
int pyrorec_process_descriptor(pid_t pid);
int pyrorec_signal_quit(int process);
