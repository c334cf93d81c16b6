// Files mapped for reading that may be shortened, or fail to be read, while they are.
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// A mapped file; made and given back by the functions below.
struct pyrorec_mapping;

/// Maps the first `size` bytes (above 0) of the file `descriptor` read-only and writes their address to `start`. A page that
/// the file no longer has when it is read, or that the disk does not give, reads as zeros instead of raising SIGBUS.
/// NULL, and errno, when it cannot be mapped.
struct pyrorec_mapping *pyrorec_map_file(int descriptor, size_t size, const void **start);

/// Whether any byte read so far was not the file's.
bool pyrorec_mapping_is_damaged(const struct pyrorec_mapping *mapping);

void pyrorec_unmap_file(struct pyrorec_mapping *mapping);

/// Opens `path` for reading with `root` as its root directory (openat2(2)): no `..` and no link leads out of it, and links of
/// /proc within it are not followed. Does not wait for the other end of a pipe; with `looks_only`, opens nothing but the path.
/// -1, and errno; ENOSYS before Linux 5.6.
int pyrorec_open_below(const char *root, const char *path, bool looks_only);
