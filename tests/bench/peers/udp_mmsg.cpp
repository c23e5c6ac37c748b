// udp_mmsg ADDRESS PORT
// Echoes UDP datagrams with one blocking recvmmsg and one sendmmsg for up to 64 of them.
// Limits: one that cannot be sent is dropped together with those behind it in the batch.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <vector>

#include "peer_datagrams.hpp"

namespace {

constexpr std::size_t kBatch = 64;

}  // namespace

int main(int argc, char** argv) {
  const int fd = peers::bound_datagrams(argc, argv, 0);
  std::vector<char> bytes(kBatch * peers::kDatagramBytes);
  std::array<sockaddr_storage, kBatch> sources{};
  std::array<iovec, kBatch> pieces{};
  std::array<mmsghdr, kBatch> messages{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces[i].iov_base = bytes.data() + i * peers::kDatagramBytes;
    messages[i].msg_hdr.msg_name = &sources[i];
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (;;) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      pieces[i].iov_len = peers::kDatagramBytes;
      messages[i].msg_hdr.msg_namelen = sizeof sources[i];
    }
    const int count = recvmmsg(fd, messages.data(), kBatch, MSG_WAITFORONE, nullptr);
    for (int i = 0; i < count; ++i) {
      pieces[static_cast<std::size_t>(i)].iov_len = messages[static_cast<std::size_t>(i)].msg_len;
    }
    if (count > 0) {
      (void)sendmmsg(fd, messages.data(), static_cast<unsigned>(count), 0);
    }
  }
}
