// Echo with Asio (without Boost), like the asynchronous echo server of its examples: one io_context
// in one thread, a session that owns itself, async_read_some followed by async_write. Asio uses
// edge-triggered epoll and tries each call before it waits.
// Limits: when descriptors run out, async_accept fails repeatedly, and the loop spins.
#include <array>
#include <asio.hpp>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "peer_socket.hpp"

namespace {

using asio::ip::tcp;

// The best size for Asio (README.md): async_write sends 64 KiB at once at most.
constexpr std::size_t kReadSize = 2 * peers::kBufferSize;

class Session : public std::enable_shared_from_this<Session> {
 public:
  // This constructor keeps make_shared from filling the buffer with zeros.
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](std::error_code error, std::size_t size) {
                              if (!error) {
                                self->write(size);
                              }
                            });
  }

 private:
  void write(std::size_t size) {
    asio::async_write(socket_, asio::buffer(buffer_, size),
                      [self = shared_from_this()](std::error_code error, std::size_t /*written*/) {
                        if (!error) {
                          self->read();
                        }
                      });
  }

  tcp::socket socket_;
  std::array<char, kReadSize> buffer_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket))->read();
    }
    accept(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const sockaddr_in address = peers::address_argument(argc, argv);
  peers::raise_open_files();
  try {
    asio::io_context context{1};  // 1: a hint that there is one thread.
    tcp::acceptor acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind({asio::ip::address_v4(ntohl(address.sin_addr.s_addr)), ntohs(address.sin_port)});
    acceptor.listen(peers::kBacklog);
    accept(acceptor);
    context.run();
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "asio: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
