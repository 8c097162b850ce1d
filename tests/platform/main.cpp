// The test runner's entry.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
