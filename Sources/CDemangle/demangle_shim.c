#include "demangle_shim.h"
int pyrorec_demangle_shim_version(void) { return 1; }
