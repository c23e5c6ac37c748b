#include "admin/admin.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <new>
#include <system_error>

#include "config/net/socket_options.hpp"
#include "sys/process.hpp"

namespace echod {

namespace {

constexpr int kBacklog = 1024;

// Empty if it cannot be read: then only IP addresses and "localhost" are this host.
std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

Admin::Admin(Workers& workers, ServiceAccess& service,
             const std::vector<std::shared_ptr<const sys::ListenSocket>>& listeners,
             const std::vector<DatagramSockets>& datagrams)
    : snapshots_(workers, service, listeners, datagrams),
      inquiries_(loop_, workers, service),
      routes_({.snapshots = snapshots_,
               .history = history_,
               .inquiries = inquiries_,
               .service = service,
               .listeners = listeners}),
      server_(loop_, routes_, host_name()),
      history_timer_(loop_.timers(), [this] { add_history_sample(); }) {
  routes_.set_server(server_);
}

Admin::~Admin() {
  if (thread_.joinable()) {
    must_end_.store(true);
    loop_.wake_up();
    thread_.join();
  }
}

void Admin::listen(const std::string& path) {
  sys::LocalListenerOptions options;
  options.path = path;
  listen(sys::LocalListener(options));
}

void Admin::listen(const SocketAddress& address) {
  listen(sys::open_listener(address, kBacklog, false, SocketOptions{}));
}

void Admin::listen(sys::LocalListener socket) {
  socket_ = std::move(socket);
  server_.listen(socket_.fd(), Access::full);
}

void Admin::listen(sys::ListenSocket socket) {
  tcp_socket_ = std::move(socket);
  server_.listen(tcp_socket_->fd.get(), Access::read_only);
}

std::vector<std::string> Admin::addresses() const {
  std::vector<std::string> addresses;
  if (socket_.is_open()) {
    addresses.push_back(socket_.path());
  }
  if (tcp_socket_) {
    addresses.push_back(tcp_socket_->address.text());
  }
  return addresses;
}

void Admin::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start the admin thread");
  }
}

void Admin::run() noexcept {
  sys::name_this_thread("admin");
  add_history_sample();
  while (!must_end_.load()) {
    loop_.run_once();
  }
}

void Admin::add_history_sample() noexcept {
  try {
    history_.add(snapshots_.take_without_open_files());
  } catch (const std::bad_alloc&) {
    // The page shows a gap.
  }
  history_timer_.expire_at(loop_.now() + ConnectionHistory::kInterval);
}

}  // namespace echod
