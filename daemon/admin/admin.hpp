// The admin thread: metrics, health, a page for people and control, over HTTP.
//
// It has its own event loop, so clients of the echo service and operators do not delay each other.
// It never touches a connection: it reads atomic counters, and asks the workers for the rest.
//
// Thread-safety: the service's thread constructs, starts and destroys it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "admin/admin_routes.hpp"
#include "admin/connection_history.hpp"
#include "admin/connection_inquiries.hpp"
#include "admin/http_server.hpp"
#include "admin/service_access.hpp"
#include "admin/snapshot_source.hpp"
#include "config/net/socket_address.hpp"
#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"
#include "sys/listen_socket.hpp"
#include "sys/local_listener.hpp"

namespace echod {

class Admin {
 public:
  // The descriptors that it needs beside those of its listeners: connections, its event loop, the
  // lock of the socket, and those for reading /proc.
  static constexpr std::size_t kDescriptors = HttpServer::kConnections + 6;

  // Listens on nothing yet. The references must outlive it. Throws std::system_error,
  // std::bad_alloc.
  Admin(Workers& workers, ServiceAccess& service,
        const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
        const std::vector<DatagramSockets>& datagrams = {});
  // Ends the thread.
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Opens the UNIX socket with full access, or the TCP socket for reading. Call them before
  // start(). Throw std::system_error (sys::LocalListener, sys::open_listener()), std::bad_alloc.
  void listen(const std::string& path);
  void listen(const SocketAddress& address);
  // The same with open sockets.
  void listen(sys::LocalListener socket);
  void listen(sys::ListenSocket socket);
  // Throws std::system_error.
  void start();

  // nullptr: there is no such socket.
  [[nodiscard]] const sys::LocalListener* local_socket() const noexcept {
    return socket_.is_open() ? &socket_ : nullptr;
  }
  [[nodiscard]] const sys::ListenSocket* tcp_socket() const noexcept {
    return tcp_socket_ ? &*tcp_socket_ : nullptr;
  }
  // Path and address of the open sockets.
  [[nodiscard]] std::vector<std::string> addresses() const;

 private:
  void run() noexcept;
  void add_history_sample() noexcept;

  EventLoop loop_;
  SnapshotSource snapshots_;
  ConnectionHistory history_;
  ConnectionInquiries inquiries_;
  sys::LocalListener socket_;
  std::optional<sys::ListenSocket> tcp_socket_;
  AdminRoutes routes_;
  HttpServer server_;
  Timer history_timer_;
  std::atomic<bool> must_end_{false};
  std::thread thread_;
};

}  // namespace echod
