#ifndef PYROREC_DEMANGLE_SHIM_H
#define PYROREC_DEMANGLE_SHIM_H

#include <stddef.h>
#include <stdint.h>

/*
 * libiberty's demanglers and the Swift runtime's, made harmless: no name makes them use unbounded memory or stack.
 */

/* More bytes of output than this count as a failure. */
#define PYROREC_DEMANGLE_CAPACITY 65536
/* Longer mangled names are not tried. */
#define PYROREC_DEMANGLE_MAXIMUM_INPUT 16384

enum pyrorec_demangle_style {
  PYROREC_CPLUS_NAME = 0,      /* C++ without parameters and return type */
  PYROREC_CPLUS_SIGNATURE = 1, /* C++ with them */
  PYROREC_RUST = 2,            /* Rust, legacy and v0, without hashes */
};

/*
 * Demangles the NUL-terminated `mangled` into `output`, which has PYROREC_DEMANGLE_CAPACITY bytes.
 * Returns the number of bytes written, without a NUL, or 0 when it is no mangled name.
 */
size_t pyrorec_demangle(const char *mangled, enum pyrorec_demangle_style style, char *output);

/* The same for the `length` bytes of a Swift name. */
size_t pyrorec_demangle_swift(const char *mangled, size_t length, char *output);

#endif
