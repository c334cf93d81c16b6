// The plain way to look up names: reads .symtab, sorts the functions, looks each address up by halving.
// usage: names FILE < ADDRESSES (hexadecimal, one a line); prints how many have a name.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct function {
  unsigned long start, size;
  const char *name;
};

static int by_start(const void *a, const void *b) {
  unsigned long x = ((const struct function *)a)->start, y = ((const struct function *)b)->start;
  return x < y ? -1 : x > y;
}

int main(int count, char **arguments) {
  if (count < 2) return 64;
  int file = open(arguments[1], O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) return 1;
  const char *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  const Elf64_Ehdr *header = (const void *)bytes;
  const Elf64_Shdr *sections = (const void *)(bytes + header->e_shoff);
  struct function *functions = NULL;
  size_t functionCount = 0;
  for (int i = 0; i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const Elf64_Sym *symbols = (const void *)(bytes + sections[i].sh_offset);
    size_t symbolCount = sections[i].sh_size / sizeof *symbols;
    const char *names = bytes + sections[sections[i].sh_link].sh_offset;
    functions = malloc(symbolCount * sizeof *functions);
    for (size_t j = 0; j < symbolCount; j++) {
      if (ELF64_ST_TYPE(symbols[j].st_info) != STT_FUNC || symbols[j].st_shndx == SHN_UNDEF) continue;
      functions[functionCount++] = (struct function){symbols[j].st_value, symbols[j].st_size, names + symbols[j].st_name};
    }
  }
  qsort(functions, functionCount, sizeof *functions, by_start);

  size_t capacity = 1 << 24, length = 0;
  char *text = malloc(capacity + 1);
  ssize_t got;
  while ((got = read(0, text + length, capacity - length)) > 0) {
    length += (size_t)got;
    if (length == capacity) text = realloc(text, (capacity *= 2) + 1);
  }
  text[length] = 0;
  size_t asked = 0, named = 0, characters = 0;
  for (char *at = text, *end; *at; at = end) {
    unsigned long address = strtoul(at, &end, 16);
    if (end == at) break;
    asked++;
    size_t low = 0, high = functionCount;
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (functions[middle].start <= address) low = middle + 1;
      else high = middle;
    }
    if (low == 0 || address - functions[low - 1].start >= functions[low - 1].size) continue;
    named++;
    characters += strlen(functions[low - 1].name);
  }
  printf("%zu of %zu, %zu characters\n", named, asked, characters);
  return 0;
}
