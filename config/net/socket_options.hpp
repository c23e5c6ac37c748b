// The options of the section [socket]. The sizes of the buffers apply to UDP sockets too.
// Thread-safety: a value.
#pragma once

#include <chrono>
#include <cstdint>

namespace echod {

// Options of a listener. Accepted connections inherit them, so accepting needs one system call
// only. 0 keeps the kernel's default; for the buffers of a UDP socket it means 1024 KiB.
struct SocketOptions {
  bool no_delay = true;                         // TCP_NODELAY: send small segments immediately.
  bool keepalive = true;                        // SO_KEEPALIVE: probe silent peers.
  std::chrono::seconds keepalive_idle{60};      // TCP_KEEPIDLE: silence before the first probe.
  std::chrono::seconds keepalive_interval{10};  // TCP_KEEPINTVL: time between probes.
  int keepalive_probes = 6;                     // TCP_KEEPCNT: unanswered probes before giving up.
  // TCP_USER_TIMEOUT: how long data may stay unacknowledged, or probes unanswered. If it is set,
  // the kernel ignores keepalive_probes.
  std::chrono::milliseconds user_timeout{0};
  std::uint32_t receive_buffer_kib = 0;  // SO_RCVBUF; the kernel doubles it.
  std::uint32_t send_buffer_kib = 0;     // SO_SNDBUF; the kernel doubles it.

  bool operator==(const SocketOptions&) const noexcept = default;
};

}  // namespace echod
