#include "tests/support/frames.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace causeway::test {

Bytes from_hex(const std::string& hex) {
  if (hex.size() % 2 != 0) throw std::runtime_error("odd number of hex digits");
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    size_t used = 0;
    const std::string digits = hex.substr(i, 2);
    bytes.push_back(static_cast<uint8_t>(std::stoul(digits, &used, 16)));
    if (used != 2) throw std::runtime_error("not hex: " + digits);
  }
  return bytes;
}

std::string to_hex(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

Frames Frames::load(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + ": can't open");
  Frames frames;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::string name;
    std::string hex;
    std::string attribute;
    words >> name >> hex;
    try {
      Frame frame{from_hex(hex), {}};
      while (words >> attribute) {
        const size_t equals = attribute.find('=');
        if (equals == std::string::npos) throw std::runtime_error("no KEY=NUMBER: " + attribute);
        frame.numbers[attribute.substr(0, equals)] = std::stoull(attribute.substr(equals + 1), nullptr, 0);
      }
      frames.frames_[name].push_back(std::move(frame));
    } catch (const std::exception& error) {
      throw std::runtime_error(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  return frames;
}

std::vector<Bytes> Frames::sequence(const std::string& name) const {
  std::vector<Bytes> all;
  for (const Frame& frame : frames_.at(name)) all.push_back(frame.bytes);
  return all;
}

std::vector<std::string> Frames::names(const std::string& prefix) const {
  std::vector<std::string> found;
  for (const auto& [name, frames] : frames_) {
    if (name.compare(0, prefix.size(), prefix) == 0) found.push_back(name);
  }
  return found;
}

}  // namespace causeway::test
