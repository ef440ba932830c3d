#include "control/change/startup_file.h"

#include <chrono>
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

std::optional<config::Config> StartupFile::as_a_start_reads(const std::string& text) const {
  std::vector<config::ConfigError> ignored;
  return config::load_config(path_, text, ignored);
}

bool StartupFile::says(const config::Config& running) {
  struct stat now {};
  if (stat(path_.c_str(), &now) != 0) return false;
  if (!is_unchanged(now, seen_)) {
    std::string what;
    const std::string text = config::read_whole_file(path_, what, std::chrono::milliseconds(0));
    config_ = what.empty() ? as_a_start_reads(text) : std::nullopt;
    seen_ = now;
  }
  return config_ && come_to_the_same(*config_, running);
}

Error StartupFile::save(const Version& running, Comments& comments) {
  comments = Comments::kept;
  if (running.text != nullptr) {
    const auto read = as_a_start_reads(*running.text);
    if (read && come_to_the_same(*read, *running.config)) return replace_file(path_, *running.text);
  }
  comments = Comments::lost;
  std::string text = config::write_config(*running.config);
  const auto read = as_a_start_reads(text);
  if (!read || !come_to_the_same(*read, *running.config)) {
    // The file's own name would be another one than the daemon has.
    config::Config named = *running.config;
    named.system.named = true;
    text = config::write_config(named);
  }
  return replace_file(path_, text);
}

}  // namespace causeway
