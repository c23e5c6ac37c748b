#include "admin/host_check.hpp"

#include <algorithm>

#include "config/net/socket_address.hpp"

namespace echod {

namespace {

char lower(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_same_name(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char left, char right) { return lower(left) == lower(right); });
}

bool is_port(std::string_view text) noexcept {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(),
                                         [](char digit) { return digit >= '0' && digit <= '9'; });
}

}  // namespace

bool is_own_host(std::string_view host, std::string_view host_name) noexcept {
  const bool has_brackets = host.starts_with('[');
  const std::size_t end = has_brackets ? host.find(']') : host.find(':');
  std::string_view name = host.substr(0, end);
  std::string_view rest = host.substr(name.size());
  if (has_brackets) {
    if (end == std::string_view::npos) {
      return false;
    }
    name.remove_prefix(1);
    rest.remove_prefix(1);
  }
  const bool has_zone = name.find('%') != std::string_view::npos;
  if (has_zone || (!rest.empty() && (!rest.starts_with(':') || !is_port(rest.substr(1))))) {
    return false;
  }
  if (const auto address = SocketAddress::parse(name, 0)) {
    return address->is_v6() == has_brackets;
  }
  return !has_brackets && !name.empty() &&
         (is_same_name(name, "localhost") || is_same_name(name, host_name));
}

}  // namespace echod
