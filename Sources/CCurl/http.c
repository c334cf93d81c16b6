#define _GNU_SOURCE
#include "include/pyrorec_http.h"
#include "http_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <curl/curl.h>
/* The header's checks of argument types wrap the names used below. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

/* libcurl's functions, as found in the library that was opened. */
static struct {
  void *handle;
  CURLcode (*global_init)(long flags);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *);
  void (*easy_reset)(CURL *);
  CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
  CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
  CURLcode (*easy_perform)(CURL *);
  const char *(*easy_strerror)(CURLcode);
  struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
  void (*slist_free_all)(struct curl_slist *);
} curl;
static pthread_mutex_t curl_lock = PTHREAD_MUTEX_INITIALIZER;

struct pyrorec_http_session {
  CURL *easy;
  char *program; /* instead of easy */
};

/*
 * A fully static program has a libc of its own, and a library opened by it brings the host's beside it, even where both are of
 * one version: that one knows nothing of the program's threads (their tables of characters are missing, so that reading a
 * certificate ends the program) and starts none of its own, which libcurl needs to look up names.
 */
static int static_program_can_open(char *error, size_t error_size) {
  if (getauxval(AT_BASE) != 0) return 1; /* started by the host's dynamic linker: not static */
  snprintf(error, error_size, "a fully static program cannot load it");
  return 0;
}

static int load(const char *const *names, int *is_static, char *error, size_t error_size) {
  if (!*names) {
    snprintf(error, error_size, "no library is wanted");
    return 0;
  }
  if (curl.handle) return 1;
  *is_static = !static_program_can_open(error, error_size);
  if (*is_static) return 0;
  void *handle = NULL;
  for (; *names && !handle; names++) handle = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *why = dlerror();
    snprintf(error, error_size, "%s", why ? why : "not found");
    return 0;
  }
#define FIND(member, name)                                             \
  do {                                                                 \
    *(void **)&curl.member = dlsym(handle, name);                      \
    if (!curl.member) {                                                \
      snprintf(error, error_size, "the libcurl found has no %s", name); \
      dlclose(handle);                                                 \
      return 0;                                                        \
    }                                                                  \
  } while (0)
  FIND(global_init, "curl_global_init");
  FIND(easy_init, "curl_easy_init");
  FIND(easy_cleanup, "curl_easy_cleanup");
  FIND(easy_reset, "curl_easy_reset");
  FIND(easy_setopt, "curl_easy_setopt");
  FIND(easy_getinfo, "curl_easy_getinfo");
  FIND(easy_perform, "curl_easy_perform");
  FIND(easy_strerror, "curl_easy_strerror");
  FIND(slist_append, "curl_slist_append");
  FIND(slist_free_all, "curl_slist_free_all");
#undef FIND
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    snprintf(error, error_size, "libcurl cannot start");
    dlclose(handle);
    return 0;
  }
  curl.handle = handle;
  return 1;
}

struct pyrorec_http_session *pyrorec_http_session_open(
    const char *const *names, int with_program, int *is_static, char *error, size_t error_size) {
  *is_static = 0;
  pthread_mutex_lock(&curl_lock);
  int ready = load(names, is_static, error, error_size);
  pthread_mutex_unlock(&curl_lock);
  char *program = !ready && with_program ? pyrorec_find_program("curl") : NULL;
  if (!ready && !program) return NULL;
  struct pyrorec_http_session *session = calloc(1, sizeof *session);
  if (session && ready) session->easy = curl.easy_init();
  if (!session || (ready && !session->easy)) {
    snprintf(error, error_size, "no memory");
    free(session);
    free(program);
    return NULL;
  }
  session->program = program;
  return session;
}

void pyrorec_http_session_close(struct pyrorec_http_session *session) {
  if (!session) return;
  if (session->easy) curl.easy_cleanup(session->easy);
  free(session->program);
  free(session);
}

/* Keeps up to the limit; 0 when there is no memory, or no room on the disk. */
int pyrorec_sink_append(struct sink *sink, const char *bytes, size_t length) {
  if (length > sink->limit - sink->length) length = sink->limit - sink->length;
  if (sink->to_file) {
    while (length > 0) {
      ssize_t put = write(sink->file, bytes, length);
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return 0;
      bytes += put;
      length -= (size_t)put;
      sink->length += (size_t)put;
    }
    return 1;
  }
  if (sink->length + length > sink->capacity) {
    size_t capacity = (sink->length + length) * 2;
    char *grown = realloc(sink->bytes, capacity);
    if (!grown) return 0;
    sink->bytes = grown;
    sink->capacity = capacity;
  }
  if (length) memcpy(sink->bytes + sink->length, bytes, length);
  sink->length += length;
  return 1;
}

int pyrorec_is_stopped(const struct pyrorec_http_request *request) {
  struct pollfd stop = {.fd = request->stop_descriptor, .events = POLLIN};
  return request->has_stop_descriptor && poll(&stop, 1, 0) > 0;
}

/* What libcurl's callbacks have to know. */
struct transfer {
  const struct pyrorec_http_request *request;
  CURL *easy;
  struct sink body;
  int ended; /* by who takes the body */
  int stopped;
};

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  (void)a, (void)b, (void)c, (void)d;
  struct transfer *transfer = context;
  transfer->stopped = pyrorec_is_stopped(transfer->request);
  return transfer->stopped;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  struct transfer *transfer = context;
  struct sink *sink = &transfer->body;
  if (transfer->request->on_body) {
    long status = 0;
    curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2) {
      transfer->ended = !transfer->request->on_body(transfer->request->context, bytes, size * count);
      return transfer->ended ? 0 : size * count;
    }
  }
  /* Of a file, all or nothing. */
  if (sink->to_file && size * count > sink->limit - sink->length) {
    sink->length = sink->limit;
    return 0;
  }
  if (!pyrorec_sink_append(sink, bytes, size * count)) return 0;
  if (sink->to_file) return size * count;
  /* Enough is known; a short count ends the transfer. */
  return sink->length == sink->limit ? 0 : size * count;
}

size_t pyrorec_on_header(char *bytes, size_t size, size_t count, void *context) {
  struct sink *sink = context;
  /* A status line starts another block: of the final answer after a "100 Continue", say. */
  if (size * count >= 5 && strncasecmp(bytes, "HTTP/", 5) == 0) sink->length = 0;
  return pyrorec_sink_append(sink, bytes, size * count) ? size * count : 0;
}

enum pyrorec_http_result pyrorec_result_of(int code) {
  switch ((CURLcode)code) {
    case CURLE_OK: return PYROREC_HTTP_OK;
    case CURLE_UNSUPPORTED_PROTOCOL: /* also what HTTP/0.9, that is no status line, gives */
    case CURLE_WEIRD_SERVER_REPLY: return PYROREC_HTTP_NOT_HTTP;
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_NOT_BUILT_IN:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_BAD_FUNCTION_ARGUMENT: return PYROREC_HTTP_BAD_REQUEST;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST: return PYROREC_HTTP_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED: return PYROREC_HTTP_UNCONNECTED;
    case CURLE_OPERATION_TIMEDOUT: return PYROREC_HTTP_TIMED_OUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return PYROREC_HTTP_UNTRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED: return PYROREC_HTTP_TLS;
    case CURLE_FILESIZE_EXCEEDED: return PYROREC_HTTP_TOO_LARGE;
    default: return PYROREC_HTTP_BROKEN;
  }
}

enum pyrorec_http_result pyrorec_http_perform(
    struct pyrorec_http_session *session, const struct pyrorec_http_request *request,
    struct pyrorec_http_response *response) {
  if (!session->easy) return pyrorec_http_perform_by_program(session->program, request, response);
  CURL *easy = session->easy;
  struct transfer transfer = {
      .request = request,
      .easy = easy,
      .body = {.limit = request->body_limit, .to_file = request->has_body_file, .file = request->body_file}};
  struct sink headers = {.limit = request->header_limit};
  struct curl_slist *lines = NULL, *proxy_lines = NULL, *to = NULL;
  CURLcode code = CURLE_OK;
  char error[CURL_ERROR_SIZE] = "";

  memset(response, 0, sizeof *response);
  curl.easy_reset(easy); /* connections stay */
/* The first option that is refused decides. */
#define SET(option, value)                                                    \
  do {                                                                        \
    if (code == CURLE_OK) code = curl.easy_setopt(easy, (option), (value));   \
  } while (0)
  SET(CURLOPT_ERRORBUFFER, error);
  SET(CURLOPT_NOSIGNAL, 1L); /* no SIGALRM for timeouts: there are other threads */
  SET(CURLOPT_URL, request->url);
#if LIBCURL_VERSION_NUM >= 0x075500
  if (curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
#endif
  {
    /* What CURLOPT_PROTOCOLS was before libcurl 7.85: a mask, 1 for HTTP and 2 for HTTPS. */
    SET((CURLoption)(CURLOPTTYPE_LONG + 181), 3L);
  }
  SET(CURLOPT_CUSTOMREQUEST, request->method);
  if (request->body) {
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    SET(CURLOPT_POSTFIELDS, request->body);
  }
  for (size_t i = 0; i < request->header_count && code == CURLE_OK; i++) {
    struct curl_slist *longer = curl.slist_append(lines, request->headers[i]);
    if (longer) lines = longer;
    else code = CURLE_OUT_OF_MEMORY;
  }
  if (code == CURLE_OK) {
    /* Or it would wait up to a second before each large body for a "100 Continue" that few servers send. */
    struct curl_slist *longer = curl.slist_append(lines, "Expect:");
    if (longer) lines = longer;
    else code = CURLE_OUT_OF_MEMORY;
  }
  SET(CURLOPT_HTTPHEADER, lines);
  SET(CURLOPT_CONNECTTIMEOUT_MS, request->connect_timeout_milliseconds);
  SET(CURLOPT_TIMEOUT_MS, request->total_timeout_milliseconds);
  static const long versions[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_1,
                                  CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
  SET(CURLOPT_SSLVERSION, versions[request->tls_minor + 1]);
  SET(CURLOPT_SSL_VERIFYPEER, request->insecure ? 0L : 1L);
  SET(CURLOPT_SSL_VERIFYHOST, request->insecure ? 0L : 2L);
  if (request->ca_file) SET(CURLOPT_CAINFO, request->ca_file);
  if (request->certificate_file) SET(CURLOPT_SSLCERT, request->certificate_file);
  if (request->key_file) SET(CURLOPT_SSLKEY, request->key_file);
  if (request->connect_to) {
    to = curl.slist_append(NULL, request->connect_to);
    if (!to) code = CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_CONNECT_TO, to);
  }
  if (request->http1) SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (request->proxy) SET(CURLOPT_PROXY, request->proxy);
  if (request->no_proxy) SET(CURLOPT_NOPROXY, request->no_proxy);
  for (size_t i = 0; i < request->proxy_header_count && code == CURLE_OK; i++) {
    struct curl_slist *longer = curl.slist_append(proxy_lines, request->proxy_headers[i]);
    if (longer) proxy_lines = longer;
    else code = CURLE_OUT_OF_MEMORY;
  }
  SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
  if (proxy_lines) SET(CURLOPT_PROXYHEADER, proxy_lines);
  if (request->ignore_proxy) SET(CURLOPT_PROXY, "");
  if (request->redirects) {
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, request->redirects);
  }
  if (request->stall_seconds) {
    SET(CURLOPT_LOW_SPEED_TIME, request->stall_seconds);
    SET(CURLOPT_LOW_SPEED_LIMIT, request->stall_bytes / request->stall_seconds + 1);
  }
  if (request->has_body_file) SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->body_limit);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, &transfer);
  SET(CURLOPT_HEADERFUNCTION, pyrorec_on_header);
  SET(CURLOPT_HEADERDATA, &headers);
  if (request->unix_socket) SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
  if (request->has_stop_descriptor) {
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, &transfer);
  }
#undef SET
  struct sink body = {0};
  if (code == CURLE_OK) {
    code = curl.easy_perform(easy);
    body = transfer.body;
    if (code == CURLE_WRITE_ERROR && transfer.ended) code = CURLE_OK;
    /* Ended by on_body because the limit was reached: that much is the answer. */
    if (code == CURLE_WRITE_ERROR && body.length == body.limit) code = body.to_file ? CURLE_FILESIZE_EXCEEDED : CURLE_OK;
  }
  long status = 0;
  curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  /* They point into this call. */
  curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
  curl.easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
  curl.easy_setopt(easy, CURLOPT_PROXYHEADER, NULL);
  curl.easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
  curl.slist_free_all(lines);
  curl.slist_free_all(proxy_lines);
  curl.slist_free_all(to);

  if (transfer.stopped) {
    free(body.bytes);
    free(headers.bytes);
    snprintf(response->error, sizeof response->error, "stopped");
    return PYROREC_HTTP_STOPPED;
  }
  if (code != CURLE_OK) {
    snprintf(response->error, sizeof response->error, "%s", error[0] ? error : curl.easy_strerror(code));
    free(body.bytes);
    free(headers.bytes);
    return pyrorec_result_of(code);
  }
  response->status = (int)status;
  response->body = body.bytes;
  response->body_length = body.length;
  response->headers = headers.bytes;
  response->headers_length = headers.length;
  return PYROREC_HTTP_OK;
}

void pyrorec_http_response_free(struct pyrorec_http_response *response) {
  free(response->headers);
  free(response->body);
  memset(response, 0, sizeof *response);
}
