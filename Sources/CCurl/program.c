/*
 * Requests through the host's curl program, where its library cannot be loaded.
 *
 * Nothing of a request is on its command line, which everyone can read: options come on its standard input, and all
 * bodies and headers lie in files that exist in memory only.
 */
#define _GNU_SOURCE
#include "http_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What an answer may take before the program is stopped. */
#define ANSWER_LIMIT (64 << 20)

/* The child's descriptors. */
enum { OPTIONS = 0, ANSWER = 1, ERRORS = 2, BODY = 3, HEADERS = 4, FILES = 5 };

char *pyrorec_find_program(const char *name) {
  const char *path = getenv("PATH");
  if (!path || !*path) path = "/usr/local/bin:/usr/bin:/bin";
  while (*path) {
    size_t length = strcspn(path, ":");
    char *full = NULL;
    /* Only absolute folders: what lies in the current one is anybody's. */
    if (length > 0 && path[0] == '/' && asprintf(&full, "%.*s/%s", (int)length, path, name) < 0) return NULL;
    if (full && access(full, X_OK) == 0) return full;
    free(full);
    path += length;
    if (*path == ':') path++;
  }
  return NULL;
}

/* An option as curl's configuration files have it. */
static void option(FILE *out, const char *name, const char *prefix, const char *value) {
  fprintf(out, "%s = \"%s", name, prefix);
  for (; *value; value++) {
    if (*value == '"' || *value == '\\') fputc('\\', out);
    fputc(*value, out);
  }
  fputs("\"\n", out);
}

static void write_options(FILE *out, const struct pyrorec_http_request *request) {
  fputs("silent\nshow-error\ngloboff\nsuppress-connect-headers\nproto = \"=http,https\"\n", out);
  static const char *const versions[] = {"tlsv1.0", "tlsv1.2", "tlsv1.1", "tlsv1.2", "tlsv1.3"};
  fprintf(out, "%s\n", versions[request->tls_minor + 1]);
  option(out, "url", "", request->url);
  option(out, "request", "", request->method);
  for (size_t i = 0; i < request->header_count; i++) option(out, "header", "", request->headers[i]);
  fputs("header = \"Expect:\"\n", out);
  if (request->body) fprintf(out, "data-binary = \"@/dev/fd/%d\"\n", BODY);
  fprintf(out, "dump-header = \"/dev/fd/%d\"\n", HEADERS);
  fprintf(out, "connect-timeout = %ld.%03ld\n", request->connect_timeout_milliseconds / 1000,
          request->connect_timeout_milliseconds % 1000);
  fprintf(out, "max-time = %ld.%03ld\n", request->total_timeout_milliseconds / 1000,
          request->total_timeout_milliseconds % 1000);
  if (request->redirects) fprintf(out, "location\nmax-redirs = %ld\n", request->redirects);
  if (request->stall_seconds) {
    fprintf(out, "speed-time = %ld\nspeed-limit = %ld\n", request->stall_seconds,
            request->stall_bytes / request->stall_seconds + 1);
  }
  if (request->has_body_file) fprintf(out, "max-filesize = %zu\n", request->body_limit);
  if (request->insecure) fputs("insecure\n", out);
  if (request->ca_file) option(out, "cacert", "", request->ca_file);
  if (request->certificate_file) option(out, "cert", "", request->certificate_file);
  if (request->key_file) option(out, "key", "", request->key_file);
  if (request->connect_to) option(out, "connect-to", "", request->connect_to);
  if (request->http1) fputs("http1.1\n", out);
  if (request->proxy) option(out, "proxy", "", request->proxy);
  if (request->no_proxy && !request->ignore_proxy) option(out, "noproxy", "", request->no_proxy);
  for (size_t i = 0; i < request->proxy_header_count; i++) option(out, "proxy-header", "", request->proxy_headers[i]);
  if (request->unix_socket) option(out, "unix-socket", "", request->unix_socket);
  if (request->on_body) fputs("no-buffer\n", out);
  if (request->ignore_proxy) fputs("noproxy = \"*\"\n", out);
}

static int write_all(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t put = write(file, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return 0;
    bytes += put;
    length -= (size_t)put;
  }
  return lseek(file, 0, SEEK_SET) == 0;
}

/* A file in memory whose number is none of the child's; -1 when there is none to be had. */
static int memory_file(void) {
  int file = memfd_create("pyrorec", MFD_CLOEXEC);
  if (file < 0) return -1;
  int moved = fcntl(file, F_DUPFD_CLOEXEC, FILES);
  close(file);
  return moved;
}

/* answer_limit: of what the program may write to any file. */
static pid_t start(const char *program, const int *files, rlim_t answer_limit) {
  /* A fork would copy the page tables of all that is mapped, which takes longer than the request. */
  pid_t child = vfork();
  if (child != 0) return child;
  /* The parent's memory, until the program begins: nothing of it is written but what is this function's own. */
  struct rlimit limit = {answer_limit, answer_limit};
  setrlimit(RLIMIT_FSIZE, &limit);
  for (int i = 0; i < FILES; i++) {
    if (dup2(files[i], i) < 0) _exit(127);
  }
  /* -q, first: no ~/.curlrc. */
  char *const arguments[] = {"curl", "-q", "--config", "-", NULL};
  execv(program, arguments);
  _exit(127);
}

/* What it exited with; -1 when it was killed. */
static int end_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Waits until `file` can be read; 0 when the request is to end first. */
static int wait_for(int file, const struct pyrorec_http_request *request) {
  struct pollfd both[2] = {{.fd = file, .events = POLLIN}, {.fd = request->stop_descriptor, .events = POLLIN}};
  int count = request->has_stop_descriptor ? 2 : 1;
  while (poll(both, (nfds_t)count, -1) < 0) {
    if (errno != EINTR) return 1;
  }
  return count == 1 || both[1].revents == 0;
}

static void read_sink(int file, struct sink *sink) {
  char piece[4096];
  off_t offset = 0;
  ssize_t got;
  while (sink->length < sink->limit && (got = pread(file, piece, sizeof piece, offset)) > 0) {
    if (!pyrorec_sink_append(sink, piece, (size_t)got)) return;
    offset += got;
  }
}

/* Of the last block in `lines`; 0 when there is none. The block goes to `headers`. */
static int status_of(const struct sink *lines, struct sink *headers) {
  for (size_t start = 0; start < lines->length;) {
    char *end = memchr(lines->bytes + start, '\n', lines->length - start);
    size_t length = end ? (size_t)(end - (lines->bytes + start)) + 1 : lines->length - start;
    if (!pyrorec_on_header(lines->bytes + start, 1, length, headers)) break;
    start += length;
  }
  int status = 0;
  char first[64] = "";
  memcpy(first, headers->bytes ? headers->bytes : "", headers->length < sizeof first - 1 ? headers->length : sizeof first - 1);
  return sscanf(first, "%*s %d", &status) == 1 ? status : 0;
}

static int status_in(int file, size_t limit) {
  struct sink lines = {.limit = limit};
  struct sink headers = {.limit = limit};
  read_sink(file, &lines);
  int status = status_of(&lines, &headers);
  free(lines.bytes);
  free(headers.bytes);
  return status;
}

/* Hands a 2xx answer over as the program writes it; another one is kept. 0: whoever takes it wants no more. */
static int hand_over(int pipe, int headers, const struct pyrorec_http_request *request, struct sink *kept, int *stopped) {
  char piece[1 << 16];
  int takes = -1;
  while (1) {
    *stopped = !wait_for(pipe, request);
    if (*stopped) return 0;
    ssize_t got = read(pipe, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 1;
    /* The program writes the headers before the first byte of the body. */
    if (takes < 0) takes = status_in(headers, request->header_limit) / 100 == 2;
    if (!takes) pyrorec_sink_append(kept, piece, (size_t)got);
    else if (!request->on_body(request->context, piece, (size_t)got)) return 0;
  }
}

enum pyrorec_http_result pyrorec_http_perform_by_program(
    const char *program, const struct pyrorec_http_request *request, struct pyrorec_http_response *response) {
  memset(response, 0, sizeof *response);
  int files[FILES];
  int ready = 1;
  for (int i = 0; i < FILES; i++) {
    int to_file = i == ANSWER && request->has_body_file;
    files[i] = to_file ? fcntl(request->body_file, F_DUPFD_CLOEXEC, FILES) : memory_file();
    if (files[i] < 0) ready = 0;
  }
  char *options = NULL;
  size_t options_length = 0;
  FILE *out = open_memstream(&options, &options_length);
  if (out) {
    write_options(out, request);
    ready = fclose(out) == 0 && ready;
  }
  ready = ready && out && write_all(files[OPTIONS], options, options_length) &&
          write_all(files[BODY], request->body, request->body_length);
  /* There may be a password in it. */
  if (options) explicit_bzero(options, options_length);
  free(options);

  rlim_t answer_limit = request->has_body_file && request->body_limit > ANSWER_LIMIT ? request->body_limit : ANSWER_LIMIT;
  struct sink kept = {.limit = request->body_limit};
  int pipes[2] = {-1, -1};
  int ended = 0, stopped = 0;
  if (request->on_body && ready) {
    ready = pipe2(pipes, O_CLOEXEC) == 0;
    if (ready) {
      close(files[ANSWER]);
      files[ANSWER] = fcntl(pipes[1], F_DUPFD_CLOEXEC, FILES);
      close(pipes[1]);
      ready = files[ANSWER] >= 0;
    }
  }
  pid_t child = ready ? start(program, files, answer_limit) : -1;
  if (request->on_body && child > 0) {
    /* Or its end would never be seen. */
    close(files[ANSWER]);
    files[ANSWER] = -1;
    ended = !hand_over(pipes[0], files[HEADERS], request, &kept, &stopped);
  } else if (request->has_stop_descriptor && child > 0) {
    int life = (int)syscall(SYS_pidfd_open, child, 0);
    if (life >= 0) {
      stopped = ended = !wait_for(life, request);
      close(life);
    }
  }
  if (ended) kill(child, SIGKILL);
  if (pipes[0] >= 0) close(pipes[0]);
  int code = child > 0 ? end_of(child) : -1;
  if (ended && !stopped) code = 0;
  enum pyrorec_http_result result = code < 0 ? PYROREC_HTTP_BROKEN : pyrorec_result_of(code);
  if (stopped) result = PYROREC_HTTP_STOPPED;
  /* Older programs look at what the server says of the length alone. */
  if (request->has_body_file && ready) {
    off_t written = lseek(files[ANSWER], 0, SEEK_END);
    if (written >= 0 && (size_t)written > request->body_limit) result = PYROREC_HTTP_TOO_LARGE;
    if (code < 0 && written >= 0 && (size_t)written == request->body_limit) result = PYROREC_HTTP_TOO_LARGE;
  }
  if (result == PYROREC_HTTP_OK) {
    struct sink body = {.limit = request->body_limit};
    struct sink lines = {.limit = request->header_limit};
    struct sink headers = {.limit = request->header_limit};
    if (request->on_body) body = kept;
    else if (!request->has_body_file) read_sink(files[ANSWER], &body);
    read_sink(files[HEADERS], &lines);
    int status = status_of(&lines, &headers);
    free(lines.bytes);
    response->status = status;
    response->body = body.bytes;
    response->body_length = body.length;
    response->headers = headers.bytes;
    response->headers_length = headers.length;
  } else {
    struct sink errors = {.limit = sizeof response->error - 1};
    read_sink(files[ERRORS], &errors);
    /* "curl: (7) Failed to …\n" */
    const char *text = errors.length ? errors.bytes : "curl cannot be run";
    size_t length = errors.length ? errors.length : strlen(text);
    if (length > 7 && memcmp(text, "curl: (", 7) == 0) {
      const char *after = memchr(text, ')', length);
      size_t skipped = after ? (size_t)(after - text) + 2 : 0;
      if (after && skipped < length) text += skipped, length -= skipped;
    }
    /* What follows the first line is advice, of a certificate whole paragraphs. */
    const char *end = memchr(text, '\n', length);
    if (end) length = (size_t)(end - text);
    memcpy(response->error, text, length);
    free(errors.bytes);
    free(kept.bytes);
  }
  for (int i = 0; i < FILES; i++) {
    if (files[i] >= 0) close(files[i]);
  }
  return result;
}
