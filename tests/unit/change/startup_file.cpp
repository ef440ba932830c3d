#include "control/change/startup_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "control/process/replace_file.h"
#include "control/yaml/load.h"
#include "tests/catch.h"

namespace causeway::test {
namespace {

using Comments = StartupFile::Comments;

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "causeway-file-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// As a daemon of this name has it; `written`: by somebody, and not `set`.
Version version(const std::string& text, const std::string& name, bool written = true) {
  std::vector<config::ConfigError> errors;
  auto config = config::load_config("x.yaml", text, errors);
  REQUIRE(config);
  if (!config->system.named) config->system.name = name;
  return {std::make_shared<const config::Config>(*config),
          written ? std::make_shared<const std::string>(text) : nullptr};
}

const std::string kText = "version: 1 # mine\nethernets: {lan0: {tap: {}}}\n";
const std::string kOther = "version: 1\nethernets: {lan1: {tap: {}}}\n";

}  // namespace

TEST_CASE("start-up file: it says what a start would come to") {
  const Folder folder;
  const std::string path = folder.path + "/gw.yaml";
  StartupFile file(path);
  CHECK(!file.says(version(kText, "gw")));  // there is none
  write(path, kText);
  CHECK(file.says(version(kText, "gw")));
  CHECK(file.says(version(kText, "gw", false)));
  CHECK(file.says(version("version: 1\nethernets:\n  lan0:\n    tap:\n      {}\n", "gw")));
  CHECK(!file.says(version(kOther, "gw")));
  CHECK(!file.says(version(kText, "other")));  // a start would call itself gw
  CHECK(file.says(version("system: {name: gw}\n" + kText, "gw")));
  write(path, kText + "system: {name: other}\n");
  CHECK(file.says(version(kText, "other")));
  write(path, "version: 2\n");
  CHECK(!file.says(version(kText, "gw")));
}

TEST_CASE("start-up file: saved as it was written, or without comments") {
  const Folder folder;
  const std::string path = folder.path + "/gw.yaml";
  write(path, kOther);
  StartupFile file(path);
  auto comments = Comments::lost;
  CHECK(file.save(version(kText, "gw"), comments).text() == "");
  CHECK(comments == Comments::kept);
  CHECK(read(path) == kText);
  CHECK(file.says(version(kText, "gw")));

  CHECK(file.save(version(kOther, "gw", false), comments).text() == "");
  CHECK(comments == Comments::lost);
  CHECK(file.says(version(kOther, "gw")));
  CHECK(!file.says(version(kText, "gw")));

  // Of a daemon of another name: with the name in it, whatever that costs.
  CHECK(file.save(version(kText, "other"), comments).text() == "");
  CHECK(comments == Comments::lost);
  CHECK(file.says(version(kText, "other")));
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a file that is replaced lends its mode, a link stays, and what fails leaves all as it was") {
  const Folder folder;
  const std::string path = folder.path + "/gw.yaml";
  write(path, "old");
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  CHECK(replace_file(path, "new").text() == "");
  CHECK(read(path) == "new");
  CHECK(std::filesystem::status(path).permissions() == std::filesystem::perms(0640));

  const std::string link = folder.path + "/link.yaml";
  std::filesystem::create_symlink("gw.yaml", link);
  CHECK(replace_file(link, "newer").text() == "");
  CHECK(std::filesystem::is_symlink(link));
  CHECK(read(path) == "newer");

  const std::string folder_beside = folder.path + "/folder";
  std::filesystem::create_directory(folder_beside);
  CHECK(replace_file(folder_beside, "new").text() == folder_beside + ": Is a directory");
  CHECK(replace_file(folder.path + "/none/gw.yaml", "new").text() ==
        folder.path + "/none/gw.yaml: No such file or directory");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 3);
}

TEST_CASE("a file that is replaced costs no other, and none is waited for") {
  const Folder folder;
  const std::string path = folder.path + "/gw.yaml";
  write(path + ".new", "mine");
  REQUIRE(mkfifo((folder.path + "/.gw.yaml.new").c_str(), 0600) == 0);
  CHECK(replace_file(path, "new").text() == "");
  CHECK(read(path) == "new");
  CHECK(read(path + ".new") == "mine");
}

TEST_CASE("a file without a folder in its name is written, too") {
  const Folder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);
  CHECK(replace_file("gw.yaml", "new").text() == "");
  std::filesystem::current_path(before);
  CHECK(read(folder.path + "/gw.yaml") == "new");
}

}  // namespace causeway::test
