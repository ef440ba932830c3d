#include "control/change/startup_file.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "control/process/replace_file.h"
#include "control/yaml/load.h"
#include "control/yaml/write.h"

namespace causeway {
namespace {

bool is_unchanged(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// A name that the file doesn't give is as good as one that it does.
bool come_to_the_same(config::Config a, const config::Config& b) {
  a.system.named = b.system.named;
  return a == b;
}

}  // namespace

StartupFile::StartupFile(std::string path) : path_(std::move(path)) {
  std::vector<config::ConfigError> none;
  if (const auto nothing = config::load_config(path_, config::kNoFile, none)) name_ = nothing->system.name;
}

bool StartupFile::says(const Version& running) {
  struct stat now {};
  if (stat(path_.c_str(), &now) != 0) return false;
  if (!is_unchanged(now, seen_)) {
    std::string what;
    const std::string text = config::read_whole_file(path_, what, std::chrono::milliseconds(0));
    if (running.text != nullptr && *running.text == text && is_called_alike(running.config->system)) {
      config_ = running.config;
    } else {
      std::vector<config::ConfigError> ignored;
      auto read = what.empty() ? config::load_config(path_, text, ignored) : std::nullopt;
      config_ = read ? std::make_shared<const config::Config>(std::move(*read)) : nullptr;
    }
    seen_ = now;
  }
  return config_ != nullptr && come_to_the_same(*config_, *running.config);
}

Error StartupFile::save(const Version& running, Comments& comments) {
  const bool alike = is_called_alike(running.config->system);
  comments = running.text != nullptr && alike ? Comments::kept : Comments::lost;
  if (comments == Comments::kept) return replace_file(path_, *running.text);
  config::Config config = *running.config;
  config.system.named = config.system.named || !alike;
  return replace_file(path_, config::write_config(config));
}

}  // namespace causeway
