// A fuzz target: takes one input, and ends the process where something is wrong with what it did.
#pragma once

#include <cstddef>
#include <cstdint>

// https://llvm.org/docs/LibFuzzer.html
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
