// Catch2 2 ships its main() in the header; Catch2 3 ships it in a library, and this file is left out.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
