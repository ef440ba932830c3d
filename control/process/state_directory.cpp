#include "control/process/state_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "control/process/replace_file.h"
#include "pmd/file_descriptor.h"

namespace causeway {

Error StateDirectory::open(std::string path) {
  if (path.empty()) return {};
  std::error_code failed;
  if (std::filesystem::create_directories(path, failed)) ::chmod(path.c_str(), 0700);
  if (failed) return fmt::format("state directory {}: {}", path, failed.message());
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    return fmt::format("state directory {}: {}", path, std::strerror(errno));
  }
  path_ = std::move(path);
  return {};
}

std::string StateDirectory::of_unit() {
  const char* const paths = std::getenv("STATE_DIRECTORY");
  if (paths == nullptr) return {};
  const std::string_view all = paths;
  return std::string(all.substr(0, all.find(':')));
}

std::string StateDirectory::file(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

Error StateDirectory::write(std::string_view name, std::string_view bytes) const {
  return replace_file(file(name), bytes);
}

std::optional<std::string> StateDirectory::read(std::string_view name) const {
  const std::string path = file(name);
  const FileDescriptor in(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!in.valid()) {
    if (errno != ENOENT) spdlog::warn("{}: {}", path, std::strerror(errno));
    return std::nullopt;
  }
  // Who put a FIFO there would have a start wait for him.
  struct stat status {};
  if (::fstat(in.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    spdlog::warn("{}: is no file", path);
    return std::nullopt;
  }
  std::string bytes;
  std::array<char, 1 << 16> chunk;
  ssize_t count = 0;
  while ((count = ::read(in.get(), chunk.data(), chunk.size())) > 0) {
    bytes.append(chunk.data(), static_cast<size_t>(count));
  }
  if (count < 0) {
    spdlog::warn("{}: {}", path, std::strerror(errno));
    return std::nullopt;
  }
  return bytes;
}

void StateDirectory::remove(std::string_view name) const {
  if (::unlink(file(name).c_str()) != 0 && errno != ENOENT) spdlog::warn("{}: {}", file(name), std::strerror(errno));
}

}  // namespace causeway
