#include "curl_shim.h"
int pyrorec_curl_shim_version(void) { return 1; }
