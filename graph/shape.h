/* Shapes of tensors: row-major, up to five axes. */
#ifndef CAK_SHAPE_H
#define CAK_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum { CAK_MAX_DIM = 5 };

/* Elements of a tensor: 2^40, so that no sum of sizes in a graph of the largest allowed number of values overflows. */
#define CAK_MAX_ELEMENTS ((int64_t)1 << 40)

typedef struct cak_shape {
    int32_t rank;
    int64_t dim[CAK_MAX_DIM]; /* entries at and after rank are 0 */
} cak_shape;

#define CAK_SCALAR ((cak_shape){ 0 })
#define CAK_SHAPE(...) ((cak_shape){ sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), { __VA_ARGS__ } })

int64_t cak_shape_size(const cak_shape *s); /* product of the axes; 1 for a scalar */
bool cak_shape_valid(const cak_shape *s);   /* extents of at least 1 and at most CAK_MAX_ELEMENTS elements */
bool cak_shape_equal(const cak_shape *a, const cak_shape *b);
bool cak_shape_broadcast(const cak_shape *a, const cak_shape *b, cak_shape *out); /* NumPy's rule; false when they do not fit */

enum { CAK_SHAPE_TEXT = 128 };
const char *cak_shape_text(const cak_shape *s, char buf[CAK_SHAPE_TEXT]); /* "[16,1,1025,1292]" */

#endif
