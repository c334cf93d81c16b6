#ifndef PYROREC_HTTP_INTERNAL_H
#define PYROREC_HTTP_INTERNAL_H
/* What the two ways of making a request share. */
#include "include/pyrorec_http.h"

/* Bytes up to a limit; what is above is dropped. */
struct sink {
  char *bytes;
  size_t length, capacity, limit;
  int to_file, file; /* written there, not kept */
};

/* Whether the request is to end. */
int pyrorec_is_stopped(const struct pyrorec_http_request *request);
int pyrorec_sink_append(struct sink *sink, const char *bytes, size_t length);
/* One header line; a status line empties the sink first. */
size_t pyrorec_on_header(char *bytes, size_t size, size_t count, void *sink);
/* Of a CURLcode, which is also what the program exits with. */
enum pyrorec_http_result pyrorec_result_of(int code);

/* The path of an executable in PATH, to be freed; NULL when there is none. */
char *pyrorec_find_program(const char *name);
enum pyrorec_http_result pyrorec_http_perform_by_program(
    const char *program, const struct pyrorec_http_request *request, struct pyrorec_http_response *response);

#endif
