// Catch2's main for the tests of vfs/core.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
