// udp_libuv ADDRESS PORT
// UDP echo with libuv: one loop, recvmmsg for up to 20 datagrams (UV_UDP_RECVMMSG), and
// uv_udp_try_send for each.
// Limits: a datagram that the kernel does not take at once is dropped.
#include <uv.h>

#include <cstddef>
#include <vector>

#include "peer_datagrams.hpp"

namespace {

constexpr std::size_t kDatagrams = 20;  // The most that libuv receives at once.

void on_allocate_datagrams(uv_handle_t* /*handle*/, std::size_t /*suggested*/, uv_buf_t* buffer) {
  static std::vector<char> bytes(kDatagrams * peers::kDatagramBytes);
  *buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
}

void on_datagram(uv_udp_t* socket, ssize_t size, const uv_buf_t* buffer, const sockaddr* source,
                 unsigned /*flags*/) {
  if (size >= 0 && source != nullptr) {
    const uv_buf_t reply = uv_buf_init(buffer->base, static_cast<unsigned>(size));
    (void)uv_udp_try_send(socket, &reply, 1, source);
  }
}

}  // namespace

int main(int argc, char** argv) {
  uv_loop_t* const loop = uv_default_loop();
  uv_udp_t socket;
  if (uv_udp_init_ex(loop, &socket, UV_UDP_RECVMMSG) != 0 ||
      uv_udp_open(&socket, peers::bound_datagrams(argc, argv, SOCK_NONBLOCK)) != 0 ||
      uv_udp_recv_start(&socket, on_allocate_datagrams, on_datagram) != 0) {
    peers::fail("libuv");
  }
  return uv_run(loop, UV_RUN_DEFAULT);
}
