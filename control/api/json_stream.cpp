#include "control/api/json_stream.h"

#include <utility>

namespace causeway::ovsdb {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

}  // namespace

size_t JsonStream::scan(std::string_view piece) {
  for (size_t i = 0; i < piece.size(); ++i) {
    const char byte = piece[i];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (byte == '\\') {
        escaped_ = true;
      } else if (byte == '"') {
        in_string_ = false;
      }
    } else if (byte == '"') {
      in_string_ = true;
    } else if (byte == '{' || byte == '[') {
      if (++depth_ > kMostTextDepth) too_deep_ = true;
    } else if (byte == '}' || byte == ']') {
      if (--depth_ == 0) return i + 1;
    }
  }
  return piece.size();
}

Error JsonStream::append(std::string_view piece) {
  while (!piece.empty()) {
    if (depth_ == 0) {  // between two texts
      const size_t begin = piece.find_first_not_of(kSpace);
      if (begin == std::string_view::npos) return {};
      piece.remove_prefix(begin);
      if (piece.front() != '{') return "a message that is no JSON object";
    }
    const size_t count = scan(piece);
    if (too_deep_) return "a message nested deeper than " + std::to_string(kMostTextDepth) + " levels";
    if (count > most_bytes_ - text_.size()) {
      return "a message of more than " + std::to_string(most_bytes_) + " bytes";
    }
    text_.append(piece.substr(0, count));
    piece.remove_prefix(count);
    if (depth_ == 0) whole_.push_back(std::exchange(text_, {}));
  }
  return {};
}

std::optional<std::string> JsonStream::next() {
  if (whole_.empty()) return std::nullopt;
  std::string text = std::move(whole_.front());
  whole_.pop_front();
  return text;
}

}  // namespace causeway::ovsdb
