#ifndef PYROREC_HTTP_H
#define PYROREC_HTTP_H
/*
 * HTTP requests through the host's libcurl, as plain functions.
 *
 * libcurl is opened with dlopen when the first session is made, because it brings some forty libraries and most runs
 * of the program need none of them. Its headers serve at build time for constants only; nothing is linked.
 *
 * Where it cannot be loaded, as by a fully static program beside another glibc, the host's curl program does the same,
 * a process a request.
 */
#include <stddef.h>

enum pyrorec_http_result {
  PYROREC_HTTP_OK = 0,
  /* No libcurl, or one that cannot be used. */
  PYROREC_HTTP_NO_LIBRARY,
  /* The request itself is not possible: its URL, its certificate files. */
  PYROREC_HTTP_BAD_REQUEST,
  PYROREC_HTTP_UNRESOLVED,
  PYROREC_HTTP_UNCONNECTED,
  PYROREC_HTTP_TIMED_OUT,
  /* The server's certificate was not accepted. */
  PYROREC_HTTP_UNTRUSTED,
  /* TLS could not be agreed on. */
  PYROREC_HTTP_TLS,
  /* The connection ended before the answer did. */
  PYROREC_HTTP_BROKEN,
  /* What answers does not speak HTTP. */
  PYROREC_HTTP_NOT_HTTP,
  /* The body is larger than body_limit and was to be written to a file. */
  PYROREC_HTTP_TOO_LARGE,
  /* stop_descriptor became readable. */
  PYROREC_HTTP_STOPPED,
};

struct pyrorec_http_request {
  const char *method; /* "GET", "POST" */
  const char *url;
  const char *const *headers; /* "Name: value" each */
  size_t header_count;
  const void *body; /* NULL: none */
  size_t body_length;
  long connect_timeout_milliseconds;
  long total_timeout_milliseconds;
  const char *ca_file;          /* PEM; NULL: the host's */
  const char *certificate_file; /* PEM; NULL: none */
  const char *key_file;         /* PEM; NULL: in certificate_file */
  int insecure;                 /* any certificate will do */
  int tls_minor;                /* the oldest TLS taken, 1.tls_minor; 0: 1.2, -1: 1.0 */
  const char *connect_to;       /* "::HOST:PORT" to connect to whatever the URL names; NULL: what it names */
  const char *proxy;            /* URL; NULL: the environment's */
  const char *no_proxy;         /* hosts without it, separated by commas; NULL: the environment's */
  const char *const *proxy_headers; /* "Name: value" each, of CONNECT */
  size_t proxy_header_count;
  int http1;                    /* HTTP/1.1 alone */
  int ignore_proxy;             /* whatever the environment says */
  size_t body_limit;            /* of the response; what is above is cut off, or too large where there is a body_file */
  size_t header_limit;
  int has_body_file;            /* the response's body goes to body_file, from where that stands */
  int body_file;
  long redirects;               /* followed at most; 0: none */
  long stall_seconds;           /* ends when fewer than stall_bytes came in so long; 0: never */
  long stall_bytes;
  const char *unix_socket;      /* the server's; NULL: the URL's host says where it is */
  /* Takes the body of a 2xx answer as it comes, whatever its length; 0 ends it there. NULL: it is kept. */
  int (*on_body)(void *context, const char *bytes, size_t length);
  void *context;
  int has_stop_descriptor;      /* the request ends when stop_descriptor can be read, within about a second */
  int stop_descriptor;
};

struct pyrorec_http_response {
  int status;
  char *headers; /* the lines of the last header block as they came; freed by pyrorec_http_response_free */
  size_t headers_length;
  char *body;
  size_t body_length;
  char error[512]; /* when the result is not OK */
};

/* Connections are kept from one request of a session to the next. Not for two threads at once. */
struct pyrorec_http_session;

/*
 * NULL when there is no libcurl under any of the names (NULL-terminated list) and no program in PATH (or it is not
 * wanted); error says why. is_static says whether the reason is that this program is fully static, which installing a
 * library does not change.
 */
struct pyrorec_http_session *pyrorec_http_session_open(
    const char *const *names, int with_program, int *is_static, char *error, size_t error_size);
void pyrorec_http_session_close(struct pyrorec_http_session *session);

/* Blocks until there is an answer or none will come. Fills response in either case. */
enum pyrorec_http_result pyrorec_http_perform(
    struct pyrorec_http_session *session, const struct pyrorec_http_request *request,
    struct pyrorec_http_response *response);
void pyrorec_http_response_free(struct pyrorec_http_response *response);

/* A file that is on no disk, with these bytes; -1 when there is none to be had. */
int pyrorec_memory_file(const void *bytes, size_t length);
void pyrorec_close(int file);
int pyrorec_process_id(void);

#endif
