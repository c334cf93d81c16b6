#!/usr/bin/env python3
"""Writes the busy program of the benchmarks: threads that walk a call graph, in C.

The graph has DEPTH levels of WIDTH functions. Each does some arithmetic and calls one function of the next
level, mostly its favourite, now and then another one by the thread's own random numbers: many distinct stacks,
few of them frequent, as in a real service.
"""
import random

DEPTH, WIDTH = 22, 16
rng = random.Random(20)

print("""#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
struct state { uint64_t random, sum; double end; };
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static inline uint64_t next(struct state *s) { uint64_t x = s->random; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return s->random = x; }
static inline void work(struct state *s, unsigned n, uint64_t k) { uint64_t a = s->sum; for (unsigned i = 0; i < n; i++) a = (a ^ k) * 0x9E3779B97F4A7C15u + i; s->sum = a; }""")
for level in reversed(range(DEPTH)):
    for number in range(WIDTH):
        print(f"__attribute__((noinline)) static void level{level}_{number}(struct state *s) {{")
        print(f"  work(s, {rng.randrange(2, 6) if level < DEPTH - 1 else 400}, {rng.getrandbits(30)}u);")
        if level + 1 < DEPTH:
            favourite, second, third = (rng.randrange(WIDTH) for _ in range(3))
            print(f"  uint64_t turn = next(s) & 63;")
            print(f"  if (turn < 61) level{level + 1}_{favourite}(s); else if (turn < 63) level{level + 1}_{second}(s); else level{level + 1}_{third}(s);")
            print(f"  if ((turn & 15) == 0) work(s, 60, {rng.getrandbits(30)}u);")
        print("  s->sum++;\n}")
print("""static void *thread(void *argument) { struct state *s = argument; do for (int i = 0; i < 64; i++) level0_0(s); while (now() < s->end); return NULL; }
int main(int argc, char **argv) {
  double end = now() + (argc > 1 ? atof(argv[1]) : 5); int count = argc > 2 ? atoi(argv[2]) : 2;
  pthread_t threads[64]; struct state states[64];
  if (count < 1 || count > 64) return 2;
  for (int i = 0; i < count; i++) { states[i] = (struct state){0x123456789abcdefu + i * 977, i, end}; pthread_create(&threads[i], NULL, thread, &states[i]); }
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) { pthread_join(threads[i], NULL); sum ^= states[i].sum; }
  printf("%llx\\n", (unsigned long long)sum);
  return 0;
}""")
