// Why a device could not be opened.
#pragma once

#include <string>

#include "pmd/error.h"

namespace causeway {

struct OpenError {
  enum class Kind {
    wrong,   // what was asked for can't be
    absent,  // there is no such interface now; one may come
    failed,  // the device is not to be had now; that may pass
  };
  std::string text;  // one line, no name in front; empty: none
  Kind kind = Kind::wrong;

  OpenError& operator=(const Error& error) {
    text = error.text();
    kind = Kind::wrong;
    return *this;
  }
  bool empty() const noexcept { return text.empty(); }
};

}  // namespace causeway
