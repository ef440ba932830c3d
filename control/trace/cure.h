// What to do about a frame that dies, in a sentence for people.
#pragma once

#include <string_view>

#include "dataplane/drop_reason.h"

namespace causeway {

// Empty: nothing, it is as it should be.
std::string_view cure_of(DropReason reason);

}  // namespace causeway
