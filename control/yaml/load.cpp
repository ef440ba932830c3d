#include "control/yaml/load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "control/yaml/sections.h"
#include "control/yaml/value.h"
#include "control/yaml/yaml_tree.h"

namespace causeway::config {
namespace {

// A path's last part without its ending, as a name that can stand in a socket's path.
std::string name_of_file(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);
  const size_t dot = path.find_last_of('.');
  std::string name(path.substr(0, dot == 0 ? std::string_view::npos : dot).substr(0, 64));
  for (char& c : name) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) c = '-';
  }
  return name.empty() ? "causeway" : name;
}

std::string read_error(std::string_view doing, int error) { return fmt::format("{}: {}", doing, std::strerror(error)); }

// Waits until a descriptor has something to read, be it the end. A regular file always has.
bool comes_by(int fd, std::chrono::steady_clock::time_point deadline) {
  using std::chrono::milliseconds;
  pollfd wanted{fd, POLLIN, 0};
  int ready = 0;
  do {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    ready = poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds(0)).count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

std::optional<Config> load(const std::string& file_label, std::string_view text, Diagnostics& diagnostics) {
  if (text.size() > kMaxConfigBytes) {
    diagnostics.add(0, 0, "", fmt::format("the file is too large, the limit is {} MiB", kMaxConfigBytes >> 20));
    return std::nullopt;
  }
  YamlError error;
  const auto tree = YamlTree::parse(text, error);
  if (!tree) {
    diagnostics.add(error.line, error.column, "", error.what);
    return std::nullopt;
  }
  if (tree->root() == nullptr || tree->root()->kind == YamlKind::null) {
    diagnostics.add(1, 1, "", "the file is empty");
    return std::nullopt;
  }
  Config config;
  config.system.name = name_of_file(file_label);
  read_sections(Value(diagnostics, *tree->root(), Path{}), config, diagnostics);
  if (diagnostics.count() > 0) return std::nullopt;
  return config;
}

}  // namespace

std::string read_whole_file(const std::string& path, std::string& what, std::chrono::milliseconds patience) {
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  };
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    what = read_error("cannot be opened", errno);
    return {};
  }
  const Closer closer{fd};
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    what = "is a directory";
    return {};
  }
  const auto patience_ends = std::chrono::steady_clock::now() + patience;
  std::string text;
  size_t used = 0;
  while (used <= kMaxConfigBytes) {
    if (!comes_by(fd, patience_ends)) {
      what = "is no file that ends: waited in vain for more of it";
      return {};
    }
    // One byte more than a regular file has, so that its end shows without another round.
    text.resize(
        std::max(used + (size_t{64} << 10), std::min(static_cast<size_t>(status.st_size), kMaxConfigBytes) + 1));
    const ssize_t got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) {
      what = read_error("cannot be read", errno);
      return {};
    }
    used += static_cast<size_t>(got);
    if (got == 0) break;
  }
  text.resize(used);
  return text;
}

std::string ConfigError::to_string() const {
  std::string text = file;
  if (line > 0) text += fmt::format(":{}:{}", line, column);
  text += severity == Severity::error ? ": error: " : ": warning: ";
  if (!key.empty()) text += key + ": ";
  return text + what;
}

std::optional<Config> load_config(const std::string& file_label, std::string_view text,
                                  std::vector<ConfigError>& errors) {
  Diagnostics diagnostics(file_label);
  std::optional<Config> config;
  try {
    config = load(file_label, text, diagnostics);
  } catch (const std::exception& e) {
    diagnostics.add(0, 0, "", std::string("cannot be loaded: ") + e.what());
    config.reset();
  }
  for (ConfigError& error : diagnostics.take()) errors.push_back(std::move(error));
  return config;
}

std::optional<Config> load_config_file(const std::string& path, std::string& text, std::vector<ConfigError>& errors) {
  std::string what;
  text = read_whole_file(path, what, std::chrono::seconds(10));
  if (what.empty()) return load_config(path, text, errors);
  errors.push_back({path, 0, 0, "", what});
  return std::nullopt;
}

ConfigError error_at(const std::string& file_label, std::string_view text, const std::string& key, std::string what) {
  ConfigError error{file_label, 0, 0, key, std::move(what)};
  YamlError ignored;
  const auto tree = YamlTree::parse(text, ignored);
  // Section and name; a name may have dots of its own.
  const size_t dot = key.find('.');
  const std::string_view path[] = {std::string_view(key).substr(0, dot), std::string_view(key).substr(dot + 1)};
  if (const YamlNode* const place = tree ? tree->key_at(path) : nullptr) {
    error.line = place->line;
    error.column = place->column;
  }
  return error;
}

}  // namespace causeway::config
