/* The number type of the engine: one source, compiled for float (training) and for double (gradient checks). */
#ifndef CAK_REAL_H
#define CAK_REAL_H

#ifdef CAK_DOUBLE
typedef double real;
#define CAK_MATH(name) name /* CAK_MATH(exp)(x) is exp(x) ... */
#define CAK_REAL_NAME "float64"
#else
typedef float real;
#define CAK_MATH(name) name##f /* ... or expf(x) */
#define CAK_REAL_NAME "float32"
#endif

#endif
