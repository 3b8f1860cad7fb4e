/* t */
#include "tests/support/graph_test.h"
START_TEST(none) {} END_TEST
SUITE(wino, none)
