// Files that others may replace or remove while we have them open.
#pragma once

#include <string>

namespace causeway {

// Whether `path` still is the file that `fd` is open on. A symbolic link is none.
bool is_at(const std::string& path, int fd);

}  // namespace causeway
