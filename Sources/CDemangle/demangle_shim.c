#include "demangle_shim.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

/* Exported by the Swift runtime (swift/Demangling/Demangle.h). */
extern char *swift_demangle(const char *mangled, size_t length, char *output, size_t *output_size, uint32_t flags);

struct sink {
  char *output;
  size_t count;
  jmp_buf overflow;
};

/* The callback interface keeps everything on its own stack, so leaving through longjmp gives back what it took. */
static void append(const char *text, size_t count, void *opaque) {
  struct sink *sink = opaque;
  if (count > PYROREC_DEMANGLE_CAPACITY - sink->count) longjmp(sink->overflow, 1);
  memcpy(sink->output + sink->count, text, count);
  sink->count += count;
}

static size_t run(const char *mangled, enum pyrorec_demangle_style style, int options, char *output) {
  struct sink sink;
  sink.output = output;
  sink.count = 0;
  if (setjmp(sink.overflow)) return 0;
  int done = style == PYROREC_RUST ? rust_demangle_callback(mangled, options, append, &sink)
                                   : cplus_demangle_v3_callback(mangled, options, append, &sink);
  return done ? sink.count : 0;
}

struct job {
  const char *mangled;
  enum pyrorec_demangle_style style;
  int options;
  char *output;
  size_t count;
};

static void *run_job(void *opaque) {
  struct job *job = opaque;
  job->count = run(job->mangled, job->style, job->options, job->output);
  return NULL;
}

/*
 * libiberty refuses C++ names above half its recursion limit (1,024 bytes) unless told not to, because it needs stack in
 * proportion to the name: at most about 6 KiB a byte for the names let through here. Those get a stack of their own.
 */
static size_t run_on_large_stack(const char *mangled, enum pyrorec_demangle_style style, int options, char *output) {
  struct job job = {mangled, style, options, output, 0};
  pthread_attr_t attributes;
  pthread_t thread;
  if (pthread_attr_init(&attributes)) return 0;
  if (!pthread_attr_setstacksize(&attributes, (size_t)256 << 20) &&
      !pthread_create(&thread, &attributes, run_job, &job))
    pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  return job.count;
}

size_t pyrorec_demangle(const char *mangled, enum pyrorec_demangle_style style, char *output) {
  size_t length = strnlen(mangled, PYROREC_DEMANGLE_MAXIMUM_INPUT + 1);
  if (length > PYROREC_DEMANGLE_MAXIMUM_INPUT) return 0;
  int options = style == PYROREC_CPLUS_SIGNATURE ? DMGL_PARAMS | DMGL_ANSI : DMGL_NO_OPTS;
  if (style != PYROREC_RUST && length >= DEMANGLE_RECURSION_LIMIT / 2)
    return run_on_large_stack(mangled, style, options | DMGL_NO_RECURSE_LIMIT, output);
  return run(mangled, style, options, output);
}

size_t pyrorec_demangle_swift(const char *mangled, size_t length, char *output) {
  if (length > PYROREC_DEMANGLE_MAXIMUM_INPUT) return 0;
  char *text = swift_demangle(mangled, length, NULL, NULL, 0);
  if (!text) return 0;
  size_t count = strlen(text);
  if (count > PYROREC_DEMANGLE_CAPACITY)
    count = 0;
  else
    memcpy(output, text, count);
  free(text);
  return count;
}
