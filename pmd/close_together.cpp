#include "pmd/close_together.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>

namespace causeway {

static constexpr size_t kMostThreads = 64;  // that do nothing but wait

void close_together(std::vector<FileDescriptor> descriptors) {
  std::atomic<size_t> next{0};
  const auto close_some = [&] {
    for (size_t i = next++; i < descriptors.size(); i = next++) descriptors[i] = FileDescriptor();
  };
  std::vector<std::thread> threads;
  try {
    while (threads.size() + 1 < std::min(descriptors.size(), kMostThreads)) threads.emplace_back(close_some);
  } catch (const std::system_error&) {  // no more threads to be had: fewer take longer
  }
  close_some();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace causeway
