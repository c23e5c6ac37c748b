#include "client/sys/resolve.hpp"

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace echod::sys {

namespace {

std::string reason(int status) {
  return status == EAI_SYSTEM ? std::system_category().message(errno) : gai_strerror(status);
}

}  // namespace

std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port) {
  if (const auto address = SocketAddress::parse(host, port)) {
    return {*address};
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, &freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = status == 0 ? list.get() : nullptr; entry != nullptr;
       entry = entry->ai_next) {
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ai_addr, entry->ai_addrlen);
    addresses.push_back(SocketAddress::from(storage));
    addresses.back().set_port(port);
  }
  if (addresses.empty()) {
    throw std::runtime_error("cannot find " + host + ": " + reason(status));
  }
  return interleave_families(std::move(addresses));
}

std::vector<SocketAddress> interleave_families(std::vector<SocketAddress> addresses) {
  for (std::size_t i = 1; i < addresses.size(); ++i) {
    const auto here = addresses.begin() + static_cast<std::ptrdiff_t>(i);
    const bool wants_v6 = !addresses[i - 1].is_v6();
    const auto next = std::find_if(here, addresses.end(), [wants_v6](const SocketAddress& address) {
      return address.is_v6() == wants_v6;
    });
    if (next != addresses.end()) {
      std::rotate(here, next, next + 1);
    }
  }
  return addresses;
}

}  // namespace echod::sys
