// Publishes those that look at frames (dataplane/inspect/capture.h): captures and mirrors come from two sides, and the
// workers have one place for both. Control thread.
#pragma once

#include <memory>
#include <vector>

#include "control/publish/publisher.h"
#include "dataplane/inspect/capture.h"
#include "dataplane/inspect/mirror.h"

namespace causeway {

class Looks {
 public:
  Looks(Tables& tables, Publisher& publisher) : tables_(tables), publisher_(publisher) {}
  ~Looks();
  Looks(const Looks&) = delete;
  Looks& operator=(const Looks&) = delete;

  void set_captures(std::vector<std::shared_ptr<Capture>> captures);
  // Null: there are none.
  void set_mirrors(std::shared_ptr<Mirrors> mirrors);

 private:
  void publish();

  Tables& tables_;
  Publisher& publisher_;
  std::vector<std::shared_ptr<Capture>> captures_;
  std::shared_ptr<Mirrors> mirrors_;
};

}  // namespace causeway
