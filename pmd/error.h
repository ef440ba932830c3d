// What went wrong, in words for people, or that nothing did. Whoever is given one has to look at it.
#pragma once

#include <string>
#include <utility>

namespace causeway {

class [[nodiscard]] Error {
 public:
  Error() = default;  // nothing went wrong
  // NOLINTBEGIN(google-explicit-constructor): functions return their words
  Error(std::string text) : text_(std::move(text)) {}
  Error(const char* text) : text_(text) {}
  // NOLINTEND(google-explicit-constructor)

  explicit operator bool() const noexcept { return !text_.empty(); }
  const std::string& text() const noexcept { return text_; }  // empty: nothing went wrong
  bool operator==(const Error&) const = default;

 private:
  std::string text_;
};

}  // namespace causeway
