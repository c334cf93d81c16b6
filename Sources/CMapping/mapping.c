// Reading a mapped page that lies past the end of its file raises SIGBUS (mmap(2), "SIGBUS"), and no check made before keeps
// another process from shortening the file right after it. The handler here puts pages of zeros in the place of what is gone
// and remembers that it did, so the read that was interrupted goes on. A SIGBUS of anything else goes where it would have gone.
#define _GNU_SOURCE
#include "mapping.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct pyrorec_mapping {
  uintptr_t start, end;  // whole pages
  atomic_bool is_damaged;
  struct pyrorec_mapping *next, **link;
};

// The handler takes the lock too. It cannot wait for its own thread: it runs on a read of mapped memory, and nothing below
// reads any while it holds the lock.
static atomic_flag lock = ATOMIC_FLAG_INIT;
static struct pyrorec_mapping *all;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;
static uintptr_t page_size;

static void take(void) {
  while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) sched_yield();
}
static void give(void) { atomic_flag_clear_explicit(&lock, memory_order_release); }

// Whether `address` lies in a mapping of ours that could be mended.
static bool mend(uintptr_t address) {
  bool is_mended = false;
  take();
  for (struct pyrorec_mapping *each = all; each != NULL; each = each->next) {
    if (address < each->start || address >= each->end) continue;
    uintptr_t page = address & ~(page_size - 1);
    // All that follows is taken for lost too: one piece more in the address space, not one a page.
    void *zeros = mmap((void *)page, each->end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    is_mended = zeros != MAP_FAILED;
    atomic_store(&each->is_damaged, true);
    break;
  }
  give();
  return is_mended;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  // Above 0: raised by the kernel for an access, not sent by a process.
  bool is_access = info->si_code > 0;
  if (!is_access || !mend((uintptr_t)info->si_addr)) {
    // Returning repeats the access, with what was there before to handle it; a signal that was sent is sent on.
    sigaction(SIGBUS, &before, NULL);
    if (!is_access) raise(number);
  }
  errno = saved;
}

static void install(void) {
  page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

struct pyrorec_mapping *pyrorec_map_file(int descriptor, size_t size, const void **start) {
  pthread_once(&once, install);
  if (size == 0 || size > SIZE_MAX - page_size) {
    errno = EINVAL;
    return NULL;
  }
  struct pyrorec_mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL) return NULL;
  void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapped == MAP_FAILED) {
    int why = errno;
    free(mapping);
    errno = why;
    return NULL;
  }
  mapping->start = (uintptr_t)mapped;
  mapping->end = (mapping->start + size + page_size - 1) & ~(page_size - 1);
  take();
  mapping->next = all;
  mapping->link = &all;
  if (all != NULL) all->link = &mapping->next;
  all = mapping;
  give();
  *start = mapped;
  return mapping;
}

bool pyrorec_mapping_is_damaged(const struct pyrorec_mapping *mapping) { return atomic_load(&mapping->is_damaged); }

void pyrorec_unmap_file(struct pyrorec_mapping *mapping) {
  take();
  *mapping->link = mapping->next;
  if (mapping->next != NULL) mapping->next->link = mapping->link;
  give();
  munmap((void *)mapping->start, mapping->end - mapping->start);
  free(mapping);
}
