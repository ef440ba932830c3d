#include "control/process/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "pmd/file_descriptor.h"

namespace causeway {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

// Where it can't be the old owner's, it is the writer's.
bool looks_like(int fd, const std::string& old) {
  struct stat status {};
  if (::stat(old.c_str(), &status) != 0) return errno == ENOENT;
  std::ignore = ::fchown(fd, status.st_uid, status.st_gid);
  return ::fchmod(fd, status.st_mode & 07777) == 0;
}

}  // namespace

Error replace_file(const std::string& path, std::string_view bytes) {
  std::error_code failed;
  const std::filesystem::path place = std::filesystem::weakly_canonical(path, failed);
  if (failed) return fmt::format("{}: {}", path, failed.message());
  std::string beside = place.parent_path() / fmt::format(".{}.XXXXXX", place.filename().string());
  const auto say_why = [&] { return Error(fmt::format("{}: {}", path, std::strerror(errno))); };
  const FileDescriptor out(::mkostemp(beside.data(), O_CLOEXEC));
  if (!out.valid()) return say_why();
  if (!write_all(out.get(), bytes) || !looks_like(out.get(), place) || ::fsync(out.get()) != 0 ||
      ::rename(beside.c_str(), place.c_str()) != 0) {
    Error error = say_why();
    ::unlink(beside.c_str());
    return error;
  }
  const FileDescriptor folder(::open((place.parent_path() / ".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return say_why();
  return {};
}

}  // namespace causeway
