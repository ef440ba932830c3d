// One client that looks at frames: a thread that takes them from the workers' rings and writes them to the client's
// connection as a pcapng file. A client that reads slowly makes this thread wait, and nobody else: the rings fill, and
// what finds no room is counted in the file's statistics.
//
// The end takes three steps, so that every frame is either in the file or in its statistics: the thread asks for it
// (the client shut its side down, or has as many frames as it wanted), the control thread takes the rings from the
// workers, and once these have let go the thread writes what is left and the statistics.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "control/capture/clock.h"
#include "control/capture/names.h"
#include "control/capture/pcapng.h"
#include "dataplane/inspect/capture.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class CaptureSession {
 public:
  // All but the constructor's thread is the control thread's. `most_frames`: 0 for any number.
  CaptureSession(std::shared_ptr<Capture> capture, FileDescriptor client, uint64_t most_frames, CaptureNames names);
  // The client may have half a file then.
  ~CaptureSession();
  CaptureSession(const CaptureSession&) = delete;
  CaptureSession& operator=(const CaptureSession&) = delete;

  // Readable when one of the two below has become true.
  int event_fd() const noexcept { return event_.get(); }
  void take_event() noexcept;
  bool wants_to_end() const noexcept { return wants_to_end_.load(std::memory_order_acquire); }
  bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

  // No worker writes into the rings any more.
  void workers_let_go() noexcept;
  void rename(CaptureNames names);

 private:
  void run();
  bool write_frames();
  size_t take_frames();
  void add_frame(size_t writer, const CapturedFrame& frame);
  void add_statistics();
  uint32_t interface_of(PortIndex port);
  std::string comment_on(size_t writer, const CapturedFrame& frame) const;
  void ask_for_end();
  bool send_file();
  bool listen_to_client(int patience_ms);
  void signal() noexcept;

  std::shared_ptr<Capture> capture_;
  FileDescriptor client_;
  uint64_t most_frames_;
  FileDescriptor event_;  // to the control thread
  FileDescriptor wake_;   // from it
  std::atomic<bool> wants_to_end_{false};
  std::atomic<bool> has_ended_{false};
  std::atomic<bool> let_go_{false};
  std::atomic<bool> stopped_{false};
  mutable std::mutex names_mutex_;
  CaptureNames names_;
  // The thread's:
  struct PortState {
    uint32_t interface = 0;
    uint64_t taken = 0;      // out of the rings
    uint64_t delivered = 0;  // of these: written
  };
  std::map<PortIndex, PortState> ports_;
  CaptureClock clock_;
  uint64_t begun_ = 0;
  uint64_t delivered_ = 0;
  std::string file_;  // what isn't sent
  std::thread thread_;
};

}  // namespace causeway
