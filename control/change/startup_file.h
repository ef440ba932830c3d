// The file that a start begins with, held against what runs. All of it is slow: belongs to the background thread.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "control/change/configuration.h"
#include "control/config/config.h"
#include "pmd/error.h"

namespace causeway {

class StartupFile {
 public:
  // `path`: empty where there is none.
  explicit StartupFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  // Whether a start would come to this configuration. The file is read when it has changed.
  bool says(const config::Config& running);

  enum class Comments : uint8_t { kept, lost };
  // Makes the file say it, all at once: as somebody wrote it down, with his comments, or else without any.
  Error save(const Version& running, Comments& comments);

 private:
  std::optional<config::Config> as_a_start_reads(const std::string& text) const;

  std::string path_;
  struct stat seen_ {};
  std::optional<config::Config> config_;  // of the file as it was seen; none: it is no good
};

}  // namespace causeway
