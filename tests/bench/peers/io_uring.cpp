// Echo with io_uring through liburing: one ring, multishot accept, and for each connection a recv
// or a send under way. The call that waits submits them in batches. IORING_RECVSEND_POLL_FIRST
// avoids a useless attempt to read if the last recv emptied the queue.
// Limits: 128 KiB for each connection, of which only used pages take memory. Needs Linux 5.19;
// exits with 77 if the kernel does not allow io_uring (kernel.io_uring_disabled, seccomp).
#include <liburing.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "peer_socket.hpp"

namespace {

struct Client {
  // The buffer is not initialised, because that would touch all its pages.
  explicit Client(int socket) : fd(socket) {}  // NOLINT(cppcoreguidelines-pro-type-member-init)

  int fd;
  bool is_sending = false;
  std::size_t from = 0;  // The unsent bytes are [from, to) of the buffer.
  std::size_t to = 0;
  bool has_more = true;  // Whether the last recv left data in the queue. Assumed for a new client.
  std::array<char, peers::kBufferSize> buffer;
};

class UringServer {
 public:
  explicit UringServer(int listener) : listener_(listener) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int result = io_uring_queue_init_params(kEntries, &ring_, &params);
    if (result == -EINVAL) {  // Linux before 6.1.
      params = {};
      result = io_uring_queue_init_params(kEntries, &ring_, &params);
    }
    if (result < 0) {
      (void)std::fprintf(stderr, "io_uring: %s\n", std::strerror(-result));
      const bool is_forbidden = result == -EPERM || result == -EACCES || result == -ENOSYS;
      std::exit(is_forbidden ? peers::kCannotRunHere : EXIT_FAILURE);
    }
    accept();
  }

  void run_once() {
    const int result = io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      errno = -result;
      peers::fail("io_uring_submit_and_wait");
    }
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      auto* client = static_cast<Client*>(io_uring_cqe_get_data(cqe));
      if (client == nullptr) {
        on_accepted(*cqe);
      } else if (client->is_sending) {
        on_sent(client, cqe->res);
      } else {
        on_received(client, *cqe);
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

 private:
  static constexpr unsigned kEntries = 4096;

  io_uring_sqe* next_sqe() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {  // The queue is full: submit it.
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  void accept() {
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, nullptr);
  }

  void receive(Client* client) {
    client->is_sending = false;
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_recv(sqe, client->fd, client->buffer.data(), client->buffer.size(), 0);
    if (!client->has_more) {
      sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
    io_uring_sqe_set_data(sqe, client);
  }

  void send(Client* client) {
    client->is_sending = true;
    io_uring_sqe* sqe = next_sqe();
    io_uring_prep_send(sqe, client->fd, client->buffer.data() + client->from,
                       client->to - client->from, MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, client);
  }

  void on_accepted(const io_uring_cqe& cqe) {
    if (cqe.res >= 0) {
      receive(new Client(cqe.res));
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
      accept();
    }
  }

  void on_received(Client* client, const io_uring_cqe& cqe) {
    if (cqe.res <= 0) {
      finish(client);
      return;
    }
    client->has_more = (cqe.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
    client->from = 0;
    client->to = static_cast<std::size_t>(cqe.res);
    send(client);
  }

  void on_sent(Client* client, int result) {
    if (result < 0) {
      finish(client);
      return;
    }
    client->from += static_cast<std::size_t>(result);
    if (client->from < client->to) {
      send(client);
    } else {
      receive(client);
    }
  }

  static void finish(Client* client) {
    close(client->fd);
    delete client;
  }

  int listener_;
  io_uring ring_{};
};

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  UringServer server(peers::listen_on(peers::address_argument(argc, argv), 0));
  for (;;) {
    server.run_once();
  }
}
