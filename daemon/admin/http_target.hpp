// Takes the target of an HTTP request apart, as in "/connections?state=flushing&limit=10".
#pragma once

#include <string_view>

#include "admin/http_message.hpp"

namespace echod {

// Sets path and query of `request`. Returns nullptr, or why the target is refused. It must have the
// origin form (RFC 9112 section 3.2.1): a path that begins with '/', and a query or none. Each %
// must begin an escape. What the escapes stand for must be UTF-8 without control characters. A '+'
// stands for itself. Throws std::bad_alloc.
[[nodiscard]] const char* parse_target(std::string_view target, HttpRequest& request);

}  // namespace echod
