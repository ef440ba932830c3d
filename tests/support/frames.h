// Frames written by an independent builder (scapy) when the tests are built, one a line:
//
//   NAME HEX [KEY=NUMBER ...]
//
// A name may stand on several lines: a sequence of frames, in order. `#` starts a comment line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace causeway::test {

using Bytes = std::vector<uint8_t>;

class Frames {
 public:
  // Throws std::runtime_error with file and line when it can't.
  static Frames load(const std::string& path);

  // The first (or only) frame of that name; throws std::out_of_range if there is none.
  const Bytes& operator[](const std::string& name) const { return frames_.at(name).front().bytes; }
  std::vector<Bytes> sequence(const std::string& name) const;
  bool contains(const std::string& name) const { return frames_.count(name) != 0; }
  // A number written behind the first frame of that name.
  uint64_t number(const std::string& name, const std::string& key) const {
    return frames_.at(name).front().numbers.at(key);
  }
  // All names that start so, in alphabetical order.
  std::vector<std::string> names(const std::string& prefix = "") const;

 private:
  struct Frame {
    Bytes bytes;
    std::map<std::string, uint64_t> numbers;
  };
  std::map<std::string, std::vector<Frame>> frames_;
};

// "0011aabb" and back.
Bytes from_hex(const std::string& hex);
std::string to_hex(const Bytes& bytes);

}  // namespace causeway::test
