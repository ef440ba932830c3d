// Files that are never seen half written.
#pragma once

#include <string>
#include <string_view>

#include "pmd/error.h"

namespace causeway {

// Makes `path` hold `bytes`, or leaves it as it was: whoever reads it never sees half of them, not after a crash of the
// machine either. It waits for the disk. The file that was there lends its owner and mode; a new one is its writer's
// alone. A symbolic link stays, what it leads to is replaced. Beside it there is .NAME.XXXXXX meanwhile, and after a
// crash in the midst of it. Any thread; each file's writes one after the other.
Error replace_file(const std::string& path, std::string_view bytes);

}  // namespace causeway
