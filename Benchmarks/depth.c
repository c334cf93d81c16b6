// depth DEPTH SECONDS [MIB]: spends its time in `leaf`, DEPTH mutually recursive functions below main, whose frames are of many
// sizes. With MIB it walks through so much memory there, which drives everything else from the CPU's caches. Built with frame
// pointers and without.
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))
static volatile uint64_t sink = 1;

static volatile uint64_t *memory;
static size_t memory_words;

NOINLINE static void leaf(void) {
  // A word of every cache line.
  for (size_t i = 0; i < memory_words; i += 8) memory[i] += 1;
  if (!memory_words) for (uint64_t i = 0; i < 200000; i++) sink += i * i;
}
typedef void level(int);
extern level *const volatile next[4];
#define LEVEL(name, bytes)                           \
  NOINLINE static void name(int depth) {             \
    volatile char keep[bytes];                       \
    keep[0] = (char)depth;                           \
    if (depth > 1) next[depth % 4](depth - 1); else leaf(); \
    sink += (uint64_t)keep[0];                       \
  }
LEVEL(first, 16)
LEVEL(second, 104)
LEVEL(third, 280)
LEVEL(fourth, 48)
level *const volatile next[4] = {first, second, third, fourth};

int main(int argc, char **argv) {
  int depth = argc > 1 ? atoi(argv[1]) : 50;
  memory_words = argc > 3 ? (size_t)atoi(argv[3]) << 17 : 0;
  memory = calloc(memory_words + 1, 8);
  if (!memory) return 1;
  time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 5);
  while (time(NULL) < end) next[depth % 4](depth);
  return 0;
}
