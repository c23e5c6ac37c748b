#include "echo/progress.hpp"

#include <utility>

#include "sys/stream_socket.hpp"

namespace echod {

bool Progress::has_unacknowledged(int socket, sys::TimePoint now) noexcept {
  if (unacknowledged_ != 0) {
    const sys::IoResult unacknowledged = sys::unacknowledged_bytes(socket);
    const auto bytes = static_cast<std::uint32_t>(unacknowledged.count());
    if (unacknowledged.ok() && std::exchange(unacknowledged_, bytes) > bytes) {
      note(now);
    }
  }
  return unacknowledged_ != 0;
}

}  // namespace echod
