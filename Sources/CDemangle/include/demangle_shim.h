#ifndef PYROREC_DEMANGLE_SHIM_H
#define PYROREC_DEMANGLE_SHIM_H
/* Filled by the Symbolize room: libiberty's and the Swift runtime's demanglers behind plain functions. */
int pyrorec_demangle_shim_version(void);
#endif
