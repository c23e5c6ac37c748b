// udp_io_uring ADDRESS PORT
// UDP echo with io_uring through liburing: one multishot recvmsg into a ring of buffers, and a
// sendmsg for each datagram. The call that waits submits them in batches.
// Limits: 256 buffers of 64 KiB. Needs Linux 6.0; exits with 77 if the kernel does not allow
// io_uring.
#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "peer_datagrams.hpp"

namespace {

constexpr unsigned kBuffers = 256;  // A power of two.
constexpr unsigned kRingEntries = 4096;
constexpr std::size_t kHeaderBytes = sizeof(io_uring_recvmsg_out) + sizeof(sockaddr_storage);
constexpr std::size_t kSlotBytes = peers::kDatagramBytes + kHeaderBytes;
constexpr std::uint64_t kReceived = kBuffers;  // Smaller user data is the buffer that was sent.

class UringDatagrams {
 public:
  explicit UringDatagrams(int fd) : fd_(fd), bytes_(kBuffers * kSlotBytes) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    require(io_uring_queue_init_params(kRingEntries, &ring_, &params), "io_uring");
    if (posix_memalign(reinterpret_cast<void**>(&buffers_), 4096,
                       kBuffers * sizeof(io_uring_buf)) != 0) {
      peers::fail("memory");
    }
    io_uring_buf_ring_init(buffers_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(buffers_);
    registration.ring_entries = kBuffers;
    require(io_uring_register_buf_ring(&ring_, &registration, 0), "buffers of io_uring");
    for (unsigned i = 0; i < kBuffers; ++i) {
      provide(i);
    }
    shape_.msg_namelen = sizeof(sockaddr_storage);
    receive();
  }

  void run_once() {
    const int result = io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      require(result, "io_uring_submit_and_wait");
    }
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      if (cqe->user_data == kReceived) {
        on_received(*cqe);
      } else {
        provide(static_cast<unsigned>(cqe->user_data));
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

 private:
  static void require(int result, const char* what) {
    if (result < 0) {
      (void)std::fprintf(stderr, "%s: %s\n", what, std::strerror(-result));
      const bool is_forbidden =
          result == -EPERM || result == -EACCES || result == -ENOSYS || result == -EINVAL;
      std::exit(is_forbidden ? peers::kCannotRunHere : EXIT_FAILURE);
    }
  }

  io_uring_sqe* next_sqe() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {  // The queue is full: submit it.
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  char* slot(unsigned buffer) { return bytes_.data() + buffer * kSlotBytes; }

  void provide(unsigned buffer) {
    io_uring_buf_ring_add(buffers_, slot(buffer), kSlotBytes, static_cast<unsigned short>(buffer),
                          io_uring_buf_ring_mask(kBuffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  void receive() {
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_recvmsg_multishot(sqe, fd_, &shape_, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = kReceived;
  }

  void on_received(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
      const unsigned buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      io_uring_recvmsg_out* const out = io_uring_recvmsg_validate(slot(buffer), cqe.res, &shape_);
      if (out == nullptr) {
        provide(buffer);
      } else {
        send(buffer, *out);
      }
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) {  // Also if it has run out of buffers.
      receive();
    }
  }

  void send(unsigned buffer, io_uring_recvmsg_out& out) {
    replies_[buffer] = {};
    pieces_[buffer] = {.iov_base = io_uring_recvmsg_payload(&out, &shape_),
                       .iov_len = out.payloadlen};
    replies_[buffer].msg_name = io_uring_recvmsg_name(&out);
    replies_[buffer].msg_namelen = out.namelen;
    replies_[buffer].msg_iov = &pieces_[buffer];
    replies_[buffer].msg_iovlen = 1;
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_sendmsg(sqe, fd_, &replies_[buffer], 0);
    sqe->user_data = buffer;
  }

  int fd_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  std::vector<char> bytes_;
  msghdr shape_{};
  std::array<msghdr, kBuffers> replies_{};
  std::array<iovec, kBuffers> pieces_{};
};

}  // namespace

int main(int argc, char** argv) {
  UringDatagrams server(peers::bound_datagrams(argc, argv, 0));
  for (;;) {
    server.run_once();
  }
}
