// What the database asks for that has no equal and is left out, while the rest works. For the log one note a subject,
// however many rows have it, and a bounded number of them; for who goes through the rows, one each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

struct Note {
  std::string key;   // stays the same as long as the subject does: who logs a key once says each once
  std::string text;  // one line; names the row, or the first one in the order of bridges and ports
  bool operator==(const Note&) const = default;
};

enum class NoteDetail : uint8_t { subjects, rows };

class Notes {
 public:
  explicit Notes(NoteDetail detail) : detail_(detail) {}

  // `text` begins with the row's name and a colon.
  void add(std::string_view key, std::string_view text);
  // Columns that nothing here stands for, where they say something.
  void of_bridge(const Row& row, std::string_view name);
  void of_port(const Row& row, std::string_view name);
  void of_interface(const Row& row, std::string_view name);

  std::vector<Note> take();  // by key

 private:
  struct Subject {
    std::string key;
    std::string text;
    size_t rows = 0;
  };
  NoteDetail detail_;
  std::map<std::string, Subject> subjects_;
};

}  // namespace causeway::ovsdb
