// The longest path of a listening UNIX socket.
#pragma once

#include <cstddef>

namespace echod {

// In bytes. A listener is made as PATH.new, which must fit into a sockaddr_un (unix(7)).
inline constexpr std::size_t kLongestLocalPath = 103;

}  // namespace echod
