// A folder that a test has to itself.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tests/catch.h"

namespace causeway::test {

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "causeway-test-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

}  // namespace causeway::test
