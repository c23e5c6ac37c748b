// Fuzzes addresses. An address that is parsed from a text or comes from the kernel must be the same
// after it was written and parsed again, and after it went to the kernel and back.
#include <cstring>

#include "config/key_type.hpp"
#include "config/net/socket_address.hpp"
#include "fuzz_target.hpp"

namespace echod::test {
namespace {

SocketAddress through_kernel(const SocketAddress& address) {
  sockaddr_storage storage{};
  (void)address.to(storage);  // The length is not needed: `from` takes it from the family.
  return SocketAddress::from(storage);
}

void require_round_trip(const SocketAddress& address) {
  const std::string host = address.host();
  const std::string port = std::to_string(address.port());
  require(SocketAddress::parse(host, address.port()) == address, "what is written reads back",
          host);
  require(address.text() == (address.is_v6() ? "[" + host + "]:" : host + ":") + port,
          "the text is host and port", address.text());
}

// For an IPv4-mapped IPv6 address, SocketAddress::parse() returns an IPv6 address; parse_address()
// and the kernel return an IPv4 address.
void check_text(const std::string& text, std::uint16_t port) {
  const auto parsed = SocketAddress::parse(text, port);
  const auto configured = parse_address(text, port);
  require(parsed.has_value() == configured.has_value(), "both accept the same texts", text);
  if (!parsed) {
    return;
  }
  require(parsed->port() == port, "the port stays", text);
  require_round_trip(*parsed);
  require_round_trip(*configured);
  require(through_kernel(*parsed) == *configured, "the kernel keeps it", text);
  require(through_kernel(*configured) == *configured, "the kernel keeps it", text);
}

void check_kernels(const std::string& bytes) {
  sockaddr_storage storage{};
  std::memcpy(&storage, bytes.data(), std::min(bytes.size(), sizeof storage));
  const SocketAddress address = SocketAddress::from(storage);
  require_round_trip(address);
  require(through_kernel(address) == address, "the kernel keeps it", address.text());
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  test::FuzzInput input(data, size);
  constexpr unsigned kByte = 256;
  const unsigned high = input.byte();
  const auto port = static_cast<std::uint16_t>(high * kByte + input.byte());
  test::check_text(input.rest(), port);
  test::check_kernels(test::FuzzInput(data, size).rest());
  return 0;
}
