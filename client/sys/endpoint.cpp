#include "client/sys/endpoint.hpp"

#include <array>
#include <utility>

#include "config/net/parse_number.hpp"

namespace echod::client {

namespace {

// "192.0.2.1:7" or "[::1]:7".
std::optional<SocketAddress> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  return port ? SocketAddress::parse(host, *port) : std::nullopt;
}

}  // namespace

std::string_view scheme_of(Transport transport) noexcept {
  constexpr std::array<std::string_view, 3> kSchemes{"tcp://", "udp://", "unix:"};
  return kSchemes[static_cast<std::size_t>(transport)];
}

Endpoint Endpoint::udp(const SocketAddress& address) {
  Endpoint endpoint(address);
  endpoint.transport_ = Transport::udp;
  return endpoint;
}

Endpoint Endpoint::at_path(std::string path) {
  Endpoint endpoint;
  endpoint.transport_ = Transport::local;
  endpoint.path_ = std::move(path);
  return endpoint;
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  if (const std::string_view scheme = scheme_of(Transport::local); text.starts_with(scheme)) {
    return at_path(std::string(text.substr(scheme.size())));
  }
  const std::string_view udp_scheme = scheme_of(Transport::udp);
  const bool is_udp = text.starts_with(udp_scheme);
  const auto address = parse_address(text.substr(is_udp ? udp_scheme.size() : 0));
  if (!address) {
    return std::nullopt;
  }
  return is_udp ? udp(*address) : Endpoint(*address);
}

std::string Endpoint::text() const {
  switch (transport_) {
    case Transport::tcp:
      return address_.text();
    case Transport::udp:
      return std::string(scheme_of(transport_)) + address_.text();
    case Transport::local:
      break;
  }
  return std::string(scheme_of(transport_)) + path_;
}

}  // namespace echod::client
