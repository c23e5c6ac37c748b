// Checks the field Host of HTTP requests, against DNS rebinding (http_server.hpp).
#pragma once

#include <string_view>

namespace echod {

// `host` is the field Host: a name or an IP address (IPv6 in brackets), then ":PORT" or nothing.
// Returns true if it is an IP address, "localhost" or `host_name`; letters may have any case. The
// port is not compared, because it may be forwarded.
[[nodiscard]] bool is_own_host(std::string_view host, std::string_view host_name) noexcept;

}  // namespace echod
