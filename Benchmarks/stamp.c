// Prints CLOCK_MONOTONIC in nanoseconds: run under a recorder, the moment it let the command start.
#include <stdio.h>
#include <time.h>

int main(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  printf("%lld\n", (long long)t.tv_sec * 1000000000 + t.tv_nsec);
  return 0;
}
