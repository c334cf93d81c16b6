// Debian 13's libelf.a calls four functions of elfutils' internal library, which no package has as an archive.
// They keep a binary search tree that is only used by several threads sharing one ELF handle; libbpf does not.
// Weak: an archive that brings its own wins. The tree's root is the first member of what it stands in.
#define _GNU_SOURCE
#include <search.h>
#include <stddef.h>

struct search_tree {
  void *root;
};
typedef int (*comparison)(const void *, const void *);

__attribute__((weak)) void eu_search_tree_init(struct search_tree *tree);
__attribute__((weak)) void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *));
__attribute__((weak)) void *eu_tsearch(const void *key, struct search_tree *tree, comparison compare);
__attribute__((weak)) void *eu_tfind(const void *key, struct search_tree *tree, comparison compare);
__attribute__((weak)) void *eu_tdelete(const void *key, struct search_tree *tree, comparison compare);

void eu_search_tree_init(struct search_tree *tree) { tree->root = NULL; }
void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *)) { tdestroy(tree->root, free_node); }
void *eu_tsearch(const void *key, struct search_tree *tree, comparison compare) { return tsearch(key, &tree->root, compare); }
void *eu_tfind(const void *key, struct search_tree *tree, comparison compare) { return tfind(key, &tree->root, compare); }
void *eu_tdelete(const void *key, struct search_tree *tree, comparison compare) { return tdelete(key, &tree->root, compare); }
