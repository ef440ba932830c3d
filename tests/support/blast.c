// Sends the frames of a file again and again, at a rate, by a packet socket: what an attacker on the wire can do.
// Compiled and used by tests/support/blast.py.
//
//     blast INTERFACE FILE SECONDS FRAMES_PER_SECOND VNET
//
// FILE: each frame as 4 bytes of length (little endian) and its bytes. FRAMES_PER_SECOND 0: as fast as it goes. VNET 1:
// each frame begins with a virtio-net header of 10 bytes. SIGTERM ends it early. Its last line is JSON.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { kBurst = 64, kMaxFrameBytes = 1 << 20, kSendBufferBytes = 8 << 20 };

struct Frames {
  struct iovec* at;
  size_t count;
};

static volatile sig_atomic_t ended;

static void end(int signal_number) {
  (void)signal_number;
  ended = 1;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

static struct Frames read_frames(const char* path) {
  FILE* file = fopen(path, "rb");
  if (!file) fail(path);
  struct Frames frames = {0};
  unsigned char length[4];
  while (fread(length, 1, sizeof length, file) == sizeof length) {
    const size_t bytes = length[0] | length[1] << 8 | length[2] << 16 | (size_t)length[3] << 24;
    if (bytes > kMaxFrameBytes) fail("frame too long");
    if (!(frames.count & (frames.count + 1))) {
      frames.at = realloc(frames.at, 2 * (frames.count + 1) * sizeof *frames.at);
      if (!frames.at) fail("memory");
    }
    struct iovec* frame = &frames.at[frames.count++];
    frame->iov_len = bytes;
    frame->iov_base = malloc(bytes);
    if (!frame->iov_base || fread(frame->iov_base, 1, bytes, file) != bytes) fail(path);
  }
  fclose(file);
  if (!frames.count) fail("no frames");
  return frames;
}

// Past the queueing discipline, where nothing has to be cut on the way (the kernel cuts for virtio-net headers there).
static int open_socket(const char* interface, int vnet) {
  const int one = 1, buffer_bytes = kSendBufferBytes;
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  if (setsockopt(fd, SOL_PACKET, vnet ? PACKET_VNET_HDR : PACKET_QDISC_BYPASS, &one, sizeof one)) fail("setsockopt");
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface)};
  if (!address.sll_ifindex || bind(fd, (struct sockaddr*)&address, sizeof address)) fail(interface);
  return fd;
}

// How many frames are due, a burst at most; 0 after a short sleep.
static unsigned due_frames(double elapsed_s, double per_second, double done) {
  if (per_second <= 0) return kBurst;
  const double due = elapsed_s * per_second - done;
  if (due >= kBurst) return kBurst;
  if (due >= 1) return (unsigned)due;
  nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  return 0;
}

int main(int count, char** words) {
  if (count != 6) {
    fprintf(stderr, "usage: blast INTERFACE FILE SECONDS FRAMES_PER_SECOND VNET\n");
    return 2;
  }
  signal(SIGTERM, end);
  const struct Frames frames = read_frames(words[2]);
  const double seconds = atof(words[3]), per_second = atof(words[4]);
  const int fd = open_socket(words[1], atoi(words[5]));
  struct mmsghdr burst[kBurst] = {0};
  unsigned long sent = 0, refused = 0;
  size_t next = 0;
  int last_error = 0;
  printf("sending\n");
  fflush(stdout);

  const double start = now_s();
  double elapsed = 0;
  while (!ended && (elapsed = now_s() - start) < seconds) {
    const unsigned due = due_frames(elapsed, per_second, sent + refused);
    if (!due) continue;
    for (unsigned i = 0; i < due; ++i) {
      burst[i].msg_hdr.msg_iov = &frames.at[(next + i) % frames.count];
      burst[i].msg_hdr.msg_iovlen = 1;
    }
    const int taken = sendmmsg(fd, burst, due, 0);
    if (taken < 0) {
      last_error = errno;
      if (errno != EINTR) ++refused;
    }
    sent += taken > 0 ? taken : 0;
    // A frame that is refused for what it is doesn't hold up the others; one without room is tried again.
    const int skip = taken < 0 && last_error != ENOBUFS && last_error != EAGAIN;
    next = (next + (taken > 0 ? taken : skip)) % frames.count;
  }
  printf("{\"sent\": %lu, \"seconds\": %.3f, \"refused\": %lu, \"last_error\": \"%s\"}\n", sent, elapsed, refused,
         last_error ? strerror(last_error) : "");
  return 0;
}
