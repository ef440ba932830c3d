// One process a Linux interface: two that forward between the same ones double every frame. The lock is an abstract
// UNIX socket (unix(7)), which belongs to a network namespace, as the interface does: it is seen whatever file system
// or user the other has, and gone with the process however that ends.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "pmd/file_descriptor.h"
#include "pmd/open_error.h"

namespace causeway {

// What the process is called in the errors of others: system.name.
void set_lock_owner(std::string name);

class InterfaceLock {
 public:
  // Of an interface in the calling thread's network namespace, by its number, which a new name doesn't change. Nothing,
  // and an error that names the other, if somebody has it.
  static std::optional<InterfaceLock> take(int interface_index, OpenError& error);
  // One that another process has taken.
  InterfaceLock(FileDescriptor lock, int interface_index);
  int descriptor() const noexcept { return lock_.get(); }

 private:
  FileDescriptor lock_;
  FileDescriptor label_;  // nothing but its address, which says who holds the lock
};

}  // namespace causeway
