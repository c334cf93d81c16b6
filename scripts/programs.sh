# The unmodified programs that stacks are tried on (try-unwinding, try-gdb); sourced after lib.sh, in the directory where
# their files are to be.

all_programs=(clang gzip sort perl python openssl sqlite go rust musl swift)

# `prepare_NAME` sets `command`, which runs until it is ended; or fails, and `reason` says why.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { reason="$tool is not installed"; return 1; }
  done
}
text() { [[ -s text ]] || awk 'BEGIN { srand(7); for (i = 0; i < 900000; i++) print int(rand() * 1e9), i * 7919 % 1000003, "the quick brown fox" }' >text; }

prepare_clang() {
  local clang
  clang=$(swift_toolchain)/usr/bin/clang++
  [[ -x $clang ]] || { reason="the toolchain has no clang++"; return 1; }
  awk 'BEGIN {
    print "template <int N> struct S { static int f(int x) { int v[N % 13 + 3]; for (int i = 0; i < N % 13 + 3; i++) v[i] = x * i + S<N - 1>::f(x + i); int s = 0; for (int y : v) s ^= y; return s; } };"
    print "template <> struct S<0> { static int f(int x) { return x; } };"
    for (i = 0; i < 120; i++) printf "int g%d(int x) { return S<%d>::f(x) + S<%d>::f(x * 3); }\n", i, 40 + i * 3, 20 + i * 5
  }' >large.cpp
  command=(sh -c "while :; do '$clang' -O2 -ftemplate-depth=2000 -c large.cpp -o large.o; done")
}
prepare_gzip() { need gzip && text && command=(sh -c 'while :; do gzip -9 -c text >/dev/null; done'); }
prepare_sort() { need sort && text && command=(sh -c 'while :; do sort --parallel=2 -k 3 -k 1n text >/dev/null; done'); }
prepare_perl() {
  need perl || return 1
  cat >load.pl <<'PERL'
sub fib { my $n = shift; return $n < 2 ? $n : fib($n - 1) + fib($n - 2) }
while (1) { fib(18); my %h; $h{"key $_"} .= sprintf("%x", $_) for 1 .. 5000; my $s = join ",", sort keys %h; $s =~ s/(\w+) (\d+)/$2 $1/g }
PERL
  command=(perl load.pl)
}
prepare_python() {
  [[ -x /usr/bin/python3 ]] || { reason="/usr/bin/python3 is not installed"; return 1; }
  cat >load.py <<'PYTHON'
import json, re
def walk(n): return {"n": n, "c": [walk(n - 1) for _ in range(2)]} if n else {"s": "leaf" * 3}
while True:
    text = json.dumps(walk(9)); json.loads(text); re.sub(r"(\w+)f", r"<\1>", text); sorted(text.split(","), key=lambda s: s[::-1])
PYTHON
  command=(/usr/bin/python3 load.py)
}
prepare_openssl() { need openssl && command=(sh -c 'while :; do for a in aes-256-cbc sha256 sha512 rsa2048 ecdsap256 chacha20-poly1305; do openssl speed -seconds 1 -evp $a 2>/dev/null >&2 || openssl speed -seconds 1 $a >/dev/null 2>&1; done; done'); }
prepare_sqlite() {
  need sqlite3 || return 1
  echo "CREATE TABLE t (a INTEGER, b TEXT); CREATE INDEX i ON t (b); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 60000000) INSERT INTO t SELECT x, hex(x * 7919 % 100003) FROM c; SELECT count(*), b FROM t GROUP BY b ORDER BY 1;" >load.sql
  command=(sh -c 'sqlite3 :memory: <load.sql >/dev/null')
}
prepare_go() {
  need go || return 1
  cat >load.go <<'GO'
package main

import (
	"fmt"
	"sort"
	"strings"
)

type node struct{ left, right *node }

func grow(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grow(depth - 1), grow(depth - 1)}
}
func (n *node) count() int {
	if n.left == nil {
		return 1
	}
	return 1 + n.left.count() + n.right.count()
}

// Its stack grows again and again.
func deep(n int) int {
	var keep [32]int
	keep[n%32] = n
	if n > 0 {
		keep[0] += deep(n - 1)
	}
	return keep[n%32]
}

func main() {
	go func() {
		for {
			done := make(chan int)
			go func() { done <- deep(500) }()
			<-done
		}
	}()
	for g := 0; g < 2; g++ {
		go func() {
			for {
				words := strings.Fields(fmt.Sprint(grow(14).count(), strings.Repeat(" b a c", 3000)))
				sort.Slice(words, func(i, j int) bool { return words[i] < words[j] })
			}
		}()
	}
	select {}
}
GO
  go build -o load-go load.go && command=(./load-go)
}
prepare_rust() {
  need rustc || return 1
  cat >load.rs <<'RUST'
use std::collections::BTreeMap;
fn sink(depth: u32, map: &mut BTreeMap<String, u64>, seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    if depth == 0 { *map.entry(format!("{:x}", *seed >> 50)).or_insert(0) += 1; return *seed; }
    sink(depth - 1, map, seed) ^ sink(depth - 1, map, seed)
}
fn main() {
    let threads: Vec<_> = (0..2).map(|n| std::thread::spawn(move || {
        let (mut map, mut seed) = (BTreeMap::new(), n);
        loop { if sink(12, &mut map, &mut seed) == 1 { println!("{}", map.len()); } }
    })).collect();
    for thread in threads { thread.join().unwrap(); }
}
RUST
  rustc -O load.rs -o load-rust 2>rustc.log && command=(./load-rust)
}
# MUSL: where one was built with call frames for debuggers, which end up in a file of their own.
prepare_musl() {
  local gcc=musl-gcc
  [[ ${MUSL:-} ]] && gcc=$MUSL/bin/musl-gcc
  need "$gcc" || return 1
  cat >load-musl.c <<'C'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static __attribute__((noinline)) double deep(int n, double x) { volatile double keep[9]; keep[n % 9] = x; return n ? deep(n - 1, sin(x) + n) + keep[n % 9] : x; }
int main(void) {
  static char text[20000][16]; static char *words[20000];
  for (;;) {
    for (int i = 0; i < 20000; i++) { snprintf(text[i], 16, "%x", i * 2654435761u); words[i] = text[i]; }
    qsort(words, 20000, sizeof *words, order);
    if (deep(60, words[0][0]) == 0.5) puts("half");
  }
}
C
  "$gcc" -O2 -g -fomit-frame-pointer -static load-musl.c -o load-musl && objcopy --only-keep-debug load-musl load-musl.debug &&
    strip --strip-debug load-musl && objcopy --add-gnu-debuglink=load-musl.debug load-musl && command=(./load-musl)
}
prepare_swift() {
  need swiftc || return 1
  cat >load.swift <<'SWIFT'
final class Node { var children: [Node] = []; var name = "" }
func grow(_ depth: Int) -> Node { let n = Node(); n.name = String(depth, radix: 16); if depth > 0 { n.children = (0..<3).map { _ in grow(depth - 1) } }; return n }
func names(_ n: Node) -> [String] { [n.name] + n.children.flatMap(names) }
while true { let all = names(grow(7)).sorted(); if Set(all).count == 1 { print(all[0]) } }
SWIFT
  swiftc -O load.swift -o load-swift && command=(./load-swift)
}
