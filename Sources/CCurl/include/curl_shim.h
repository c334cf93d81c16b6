#ifndef PYROREC_CURL_SHIM_H
#define PYROREC_CURL_SHIM_H
/* Filled by the Uploader room: libcurl behind plain functions, loaded when first needed. */
int pyrorec_curl_shim_version(void);
#endif
