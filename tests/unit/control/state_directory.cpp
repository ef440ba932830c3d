#include "control/process/state_directory.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.h"

namespace causeway {
namespace {

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "causeway-state-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// While it lives no file takes more than a byte.
struct FullDisk {
  rlimit before{};
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit limit{1, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before); }
};

}  // namespace

TEST_CASE("what is written to a state directory is read by the next daemon") {
  const Folder folder;
  const std::string path = folder.path + "/a/b";
  const std::string bytes("\0 line\nline", 11);
  {
    StateDirectory first;
    CHECK(!first.keeps());
    REQUIRE(first.open(path).text() == "");
    CHECK(first.keeps());
    CHECK(!first.read("fdb"));
    CHECK(first.write("fdb", "of before").text() == "");
    CHECK(first.write("fdb", bytes).text() == "");
  }
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
  StateDirectory second;
  REQUIRE(second.open(path).text() == "");
  CHECK(second.read("fdb") == bytes);
  second.remove("fdb");
  second.remove("fdb");
  CHECK(!second.read("fdb"));
}

TEST_CASE("a write that fails leaves what was there") {
  const Folder folder;
  StateDirectory state;
  REQUIRE(state.open(folder.path).text() == "");
  REQUIRE(state.write("fdb", "old").text() == "");
  Error error;
  {
    const FullDisk full;
    error = state.write("fdb", "new");
  }
  CHECK(error.text() == folder.path + "/fdb: File too large");
  CHECK(state.read("fdb") == "old");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a state directory that can be none is refused in words") {
  const Folder folder;
  std::ofstream(folder.path + "/file") << "x";
  StateDirectory state;
  CHECK(state.open(folder.path + "/file/state").text() ==
        "state directory " + folder.path + "/file/state: Not a directory");
  CHECK(!state.keeps());
  CHECK(state.open("").text() == "");
  CHECK(!state.keeps());
}

}  // namespace causeway
