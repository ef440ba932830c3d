// The file that a start begins with, held against what runs. All of it is slow: belongs to the background thread.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "control/change/configuration.h"
#include "control/config/config.h"
#include "pmd/error.h"

namespace causeway {

class StartupFile {
 public:
  // `path`: empty where there is none.
  explicit StartupFile(std::string path);

  const std::string& path() const noexcept { return path_; }
  // Whether a start would come to this configuration. The file is read when it has changed.
  bool says(const Version& running);

  enum class Comments : uint8_t { kept, lost };
  // Makes the file say it, all at once: as somebody wrote it down, with his comments, or else without any.
  Error save(const Version& running, Comments& comments);

 private:
  // A start calls itself by the file where that names nobody.
  bool is_called_alike(const config::System& system) const { return system.named || system.name == name_; }

  std::string path_;
  std::string name_;  // of a daemon that the file doesn't name
  struct stat seen_ {};
  std::shared_ptr<const config::Config> config_;  // of the file as it was seen; null: it is no good
};

}  // namespace causeway
