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
  constexpr std::array<std::string_view, 2> kSchemes{"tcp://", "unix:"};
  return kSchemes[static_cast<std::size_t>(transport)];
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
  return parse_address(text);
}

std::string Endpoint::text() const {
  return is_local() ? std::string(scheme_of(transport_)) + path_ : address_.text();
}

}  // namespace echod::client
