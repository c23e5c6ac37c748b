// udp_asio ADDRESS PORT
// UDP echo with Asio (without Boost), like the asynchronous UDP echo server of its examples:
// async_receive_from followed by async_send_to, one datagram at a time.
#include <array>
#include <asio.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <system_error>

#include "peer_datagrams.hpp"

namespace {

using asio::ip::udp;

class DatagramServer {
 public:
  DatagramServer(asio::io_context& context, int fd) : socket_(context, udp::v4(), fd) {}

  void receive() {
    socket_.async_receive_from(asio::buffer(bytes_), source_,
                               [this](std::error_code error, std::size_t size) {
                                 if (error) {
                                   receive();
                                 } else {
                                   send(size);
                                 }
                               });
  }

 private:
  void send(std::size_t size) {
    socket_.async_send_to(asio::buffer(bytes_, size), source_,
                          [this](std::error_code /*error*/, std::size_t /*sent*/) { receive(); });
  }

  udp::socket socket_;
  udp::endpoint source_;
  std::array<char, peers::kDatagramBytes> bytes_{};
};

}  // namespace

int main(int argc, char** argv) {
  try {
    asio::io_context context{1};  // 1: a hint that there is one thread.
    DatagramServer server(context, peers::bound_datagrams(argc, argv, 0));
    server.receive();
    context.run();
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "udp_asio: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
