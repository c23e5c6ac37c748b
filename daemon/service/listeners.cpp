#include "service/listeners.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "service/carried_listeners.hpp"
#include "service/listen_error.hpp"

namespace echod {

namespace {

sys::ListenSocket opened(const ListenConfig& wanted, const TcpOptions& options) {
  return sys::open_listener(wanted.address, wanted.backlog, wanted.v6only, options);
}

std::string_view ipv4_only_note(const sys::ListenSocket& socket) {
  if (!socket.fell_back_to_v4) {
    return "";
  }
  return socket.is_inherited ? " (IPv4 only: the passed socket is IPv4)"
                             : " (IPv4 only: this host has no IPv6)";
}

}  // namespace

void Listeners::open(std::vector<PassedSocket> passed, const Config& config) {
  if (!passed.empty()) {
    for (sys::ListenSocket& socket : adopt_passed_sockets(std::move(passed), config)) {
      add(std::move(socket));
    }
    return;
  }
  for (const ListenConfig& wanted : config.listen) {
    try {
      add(opened(wanted, config.socket));
    } catch (const std::system_error& error) {
      throw listen_error(wanted.address, error);
    }
  }
}

// Closes first: a socket that goes may have the port of one that comes.
ListenerNumbers Listeners::take_over(const std::vector<ListenerState>& earlier, Config& config,
                                     spdlog::logger& log) {
  const auto matches = matches_of(config.listen, earlier);
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (std::find(matches.begin(), matches.end(), i) == matches.end()) {
      empty_and_close(earlier[i], workers_);
    }
  }
  ListenerNumbers numbers;
  numbers.fill(ListenerCounts::kRemoved);
  std::vector<ListenConfig> served;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const ListenConfig& wanted = config.listen[i];
    try {
      CarriedListener listener =
          matches[i] ? echod::take_over(earlier[*matches[i]], wanted, config.socket)
                     : CarriedListener{.socket = opened(wanted, config.socket), .trouble = ""};
      if (!listener.trouble.empty()) {
        log.error("upgrade: {} keeps options that it had: {}; an ordered upgrade tries again",
                  listener.socket.address.text(), listener.trouble);
      }
      add(std::move(listener.socket));
    } catch (const std::system_error& error) {
      log.error("upgrade: {}; reload to try again", listen_error(wanted.address, error).what());
      continue;
    }
    if (matches[i]) {
      numbers.at(*matches[i]) = static_cast<ListenerCounts::Listener>(served.size());
    }
    served.push_back(wanted);
  }
  config.listen = std::move(served);
  return numbers;
}

void Listeners::announce(const Config& config, spdlog::logger& log) const {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const sys::ListenSocket& socket = *sockets_[i];
    const int backlog = config.listen[i].backlog;
    log.info("listening on {}, backlog {}{}", socket.address.text(), backlog,
             ipv4_only_note(socket));
    const auto granted = static_cast<int>(sys::accept_queue(socket.fd.get()).limit);
    if (granted > 0 && granted < backlog) {
      log.warn("the kernel cuts the backlog of {} from {} to {}; raise net.core.somaxconn",
               socket.address.text(), backlog, granted);
    }
  }
}

void Listeners::add(sys::ListenSocket socket) {
  sockets_.push_back(std::make_shared<const sys::ListenSocket>(std::move(socket)));
  workers_.listen(sockets_.back());
}

}  // namespace echod
