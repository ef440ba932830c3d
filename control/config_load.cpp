#include "control/config_load.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "control/config_sections.h"
#include "control/config_value.h"
#include "control/yaml_tree.h"

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
  Sections(config, diagnostics).read(Value(diagnostics, *tree->root(), Path{}));
  if (diagnostics.count() > 0) return std::nullopt;
  return config;
}

}  // namespace

std::string read_whole_file(const std::string& path, std::string& what) {
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
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
  std::string text;
  size_t used = 0;
  while (used <= kMaxConfigBytes) {
    // One byte more than a regular file has, so that its end shows without another round.
    text.resize(
        std::max(used + (size_t{64} << 10), std::min(static_cast<size_t>(status.st_size), kMaxConfigBytes) + 1));
    const ssize_t got = read(fd, text.data() + used, text.size() - used);
    if (got < 0 && errno == EINTR) continue;
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
  text += ": error: ";
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

std::optional<Config> load_config_file(const std::string& path, std::vector<ConfigError>& errors) {
  std::string what;
  const std::string text = read_whole_file(path, what);
  if (what.empty()) return load_config(path, text, errors);
  errors.push_back({path, 0, 0, "", what});
  return std::nullopt;
}

ConfigError error_at(const std::string& file_label, std::string_view text, const std::string& key, std::string what) {
  ConfigError error{file_label, 0, 0, key, std::move(what)};
  YamlError ignored;
  const auto tree = YamlTree::parse(text, ignored);
  if (!tree || tree->root() == nullptr) return error;
  // Section and name; a name may have dots of its own.
  const size_t dot = key.find('.');
  const YamlNode* node = &tree->root()->target();
  for (const std::string_view part : {std::string_view(key).substr(0, dot), std::string_view(key).substr(dot + 1)}) {
    const YamlNode* entry = node->kind == YamlKind::map ? node->first : nullptr;
    while (entry != nullptr && entry->text != part) entry = entry->next->next;
    if (entry == nullptr) break;
    error.line = entry->line;
    error.column = entry->column;
    node = &entry->next->target();
  }
  return error;
}

}  // namespace causeway::config
