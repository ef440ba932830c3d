// Every file that must be refused, with its errors to the letter: errors.txt. And the hostile ones.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "control/yaml/load.h"
#include "tests/catch.h"

using causeway::config::Config;
using causeway::config::ConfigError;
using causeway::config::load_config;
using causeway::config::load_config_file;

namespace {

struct Case {
  std::string what;
  std::string yaml;
  std::string errors;
};

std::vector<Case> read_cases() {
  std::ifstream file(CAUSEWAY_SOURCE_ROOT "/tests/unit/config/errors.txt");
  std::vector<Case> cases;
  std::string Case::*part = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", ""});
      part = &Case::yaml;
    } else if (line == "~~~") {
      part = &Case::errors;
    } else if (part == &Case::errors && !line.empty()) {
      cases.back().errors += "gw.yaml:" + line + "\n";
    } else if (part == &Case::yaml) {
      if (line.starts_with("TAB")) line.replace(0, 3, "\t");
      cases.back().yaml += line + "\n";
    }
  }
  return cases;
}

std::string errors_of(std::string_view yaml) {
  std::vector<ConfigError> errors;
  const auto config = load_config("gw.yaml", yaml, errors);
  CHECK(config.has_value() == errors.empty());
  std::string text;
  for (const ConfigError& error : errors) text += error.to_string() + "\n";
  return text;
}

std::string file_errors_of(const std::string& path) {
  std::vector<ConfigError> errors;
  std::string text;
  CHECK_FALSE(load_config_file(path, text, errors));
  REQUIRE(errors.size() == 1);
  return errors[0].to_string();
}

std::string repeated(std::string_view text, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i) result += text;
  return result;
}

}  // namespace

TEST_CASE("each bad file has its errors") {
  const auto cases = read_cases();
  REQUIRE(cases.size() > 40);
  for (const Case& bad : cases) {
    INFO(bad.what);
    REQUIRE_FALSE(bad.errors.empty());
    CHECK(errors_of(bad.yaml) == bad.errors);
  }
}

TEST_CASE("a file that is no text names the byte") {
  CHECK(errors_of(std::string("version: 1\nsys\0tem:", 19)) == "gw.yaml:2:4: error: not a text file (NUL byte)\n");
  CHECK(errors_of("version: 1\n# \xff") == "gw.yaml:2:3: error: not a text file (byte 0xff is not UTF-8)\n");
  CHECK(errors_of("\xc0\xaf") == "gw.yaml:1:1: error: not a text file (byte 0xc0 is not UTF-8)\n");         // overlong
  CHECK(errors_of("a: \xed\xa0\x80") == "gw.yaml:1:4: error: not a text file (byte 0xed is not UTF-8)\n");  // surrogate
  CHECK(errors_of("a: \xf4\x90\x80\x80") == "gw.yaml:1:4: error: not a text file (byte 0xf4 is not UTF-8)\n");
  CHECK(errors_of("a: \xe2\x82") == "gw.yaml:1:4: error: not a text file (byte 0xe2 is not UTF-8)\n");  // cut off
  CHECK(errors_of("version: 1\n\x04") == "gw.yaml:2:1: error: control character 0x04 is not allowed\n");
  CHECK(errors_of("version: 1 # gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\n").empty());
}

TEST_CASE("an error is one harmless line, whatever the file holds") {
  CHECK(errors_of("version: 1\n\"a\\nb\\e[31m\": 1\n") == "gw.yaml:2:1: error: a?b?[31m: unknown key\n");
  CHECK(errors_of("version: 1\nsystem: {idle: \"\\r\\n\"}\n") ==
        "gw.yaml:2:16: error: system.idle: expected adaptive or busy, not '?\?'\n");
  CHECK(errors_of("version: 1\nsystem: {idle: " + repeated("\xc3\xbc", 1000) + "}\n") ==
        "gw.yaml:2:16: error: system.idle: expected adaptive or busy, not '" + repeated("\xc3\xbc", 20) + "...'\n");
}

TEST_CASE("aliases that multiply are refused") {
  std::string laughs = "version: 1\nx:\n  - &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    laughs += "  - &a" + std::to_string(i) + " [" + alias + repeated(", " + alias, 9) + "]\n";
  }
  const auto start = std::chrono::steady_clock::now();
  CHECK(errors_of(laughs) == "gw.yaml:8:45: error: aliases repeat too much\n");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("aliases within reason are what they stand for") {
  std::vector<ConfigError> errors;
  const auto config = load_config("gw.yaml",
                                  "version: 1\n"
                                  "ethernets:\n"
                                  "  a: &tap {tap: {rx-queues: 2}, mtu: &mtu 1400}\n"
                                  "  b: *tap\n"
                                  "  c: {mtu: *mtu}\n",
                                  errors);
  REQUIRE(config);
  CHECK(config->ethernets.at("b") == config->ethernets.at("a"));
  CHECK(config->ethernets.at("c").mtu == 1400);
}

TEST_CASE("deep nesting is refused") {
  CHECK(errors_of("version: 1\nx: " + repeated("[", 100) + repeated("]", 100)) ==
        "gw.yaml:2:35: error: nested too deep\n");
  CHECK(errors_of("version: 1\nx: " + repeated("[", 10'000'000)) == "gw.yaml:2:1004: error: nested too deep\n");
  CHECK(errors_of("version: 1\nx: " + repeated("{a: ", 1'000'000)) == "gw.yaml:2:4004: error: nested too deep\n");
  CHECK(errors_of(repeated("- ", 1'000'000)) == "gw.yaml:1:65: error: nested too deep\n");
}

TEST_CASE("many values are refused, and many errors only counted") {
  CHECK(errors_of("version: 1\nx: [" + repeated("1,", 4'500'000) + "]").ends_with("error: too many values\n"));
  const std::string errors = errors_of("version: 1\nsystem: {workers: [" + repeated("x,", 1000) + "]}");
  CHECK(std::count(errors.begin(), errors.end(), '\n') == 101);
  CHECK(errors.ends_with("gw.yaml: error: 901 further errors\n"));
}

TEST_CASE("a file that cannot be read says why") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("causeway-config-" + std::to_string(getpid()));
  fs::create_directory(folder);
  CHECK(file_errors_of(folder / "none.yaml") ==
        (folder / "none.yaml").string() + ": error: cannot be opened: No such file or directory");
  CHECK(file_errors_of(folder) == folder.string() + ": error: is a directory");
  CHECK(file_errors_of("/proc/self/mem") == "/proc/self/mem: error: cannot be read: Input/output error");
  CHECK(file_errors_of("/dev/zero") == "/dev/zero: error: the file is too large, the limit is 64 MiB");
  CHECK(file_errors_of("/dev/null") == "/dev/null:1:1: error: the file is empty");

  std::ofstream(folder / "large.yaml") << "version: 1\n";
  fs::resize_file(folder / "large.yaml", causeway::config::kMaxConfigBytes + 1);
  CHECK(file_errors_of(folder / "large.yaml") ==
        (folder / "large.yaml").string() + ": error: the file is too large, the limit is 64 MiB");
  fs::remove_all(folder);
}
