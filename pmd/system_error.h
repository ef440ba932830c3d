// The last system call's error as text.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

namespace causeway {

// "what: strerror(errno)".
inline std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

}  // namespace causeway
