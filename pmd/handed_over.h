// Devices that one process leaves to the next, open: the descriptors that the next one needs to go on with a device as
// it is, with what waits in them. Control thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pmd/file_descriptor.h"

namespace causeway {

// What a Port is besides, if its device can be left to another process.
class HandsOver {
 public:
  HandsOver() = default;
  virtual ~HandsOver() = default;
  HandsOver(const HandsOver&) = delete;
  HandsOver& operator=(const HandsOver&) = delete;
  // None: the next process opens it anew.
  virtual std::vector<int> descriptors() const = 0;
};

// By the names of ports.
using HandedOver = std::map<std::string, std::vector<FileDescriptor>>;
// From now on a port of one of these names is opened by its descriptors(), if it is to have as many: of which it makes
// its own. Until this is called with none.
void open_by(HandedOver devices);
// Empty: it is opened as ever.
std::vector<int> handed_over(const std::string& name);

}  // namespace causeway
