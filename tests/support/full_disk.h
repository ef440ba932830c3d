// A disk that takes no more.
#pragma once

#include <sys/resource.h>

#include <csignal>

namespace causeway::test {

// What `work` returns while files of this process can't grow by a byte: EFBIG (setrlimit(2), RLIMIT_FSIZE). Root's,
// too.
template <typename Work>
auto on_full_disk(Work&& work) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &none);
  auto result = work();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  return result;
}

}  // namespace causeway::test
