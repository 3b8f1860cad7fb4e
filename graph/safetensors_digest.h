/* What the reader and the writer of safetensors files share: names, the format version and the checksum. */
#ifndef CAK_SAFETENSORS_DIGEST_H
#define CAK_SAFETENSORS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/safetensors.h"

#define CAK_TENSORS_VERSION "1"
#define CAK_TENSORS_MARK "\"xxh3\":\"" /* the digits of the checksum follow */
enum { CAK_DIGEST_DIGITS = 16, CAK_DIGEST_TEXT = CAK_DIGEST_DIGITS + 1 };

bool cak_tensors_name_fits(const char *name); /* [A-Za-z0-9_.\-/]{1,256} */

/* XXH3 of header length, header and data, with the digits in the header taken as zeros; false when the header has no place for them. */
bool cak_tensors_digest(const char *header, size_t n, const cak_tensor *tensor, int n_tensors, char text[CAK_DIGEST_TEXT]);

#endif
