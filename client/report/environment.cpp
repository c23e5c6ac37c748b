#include "client/report/environment.hpp"

#include <sys/utsname.h>

#include <array>
#include <ctime>
#include <fstream>

#include "sys/available_cpus.hpp"
#include "sys/open_files.hpp"

namespace echod::client {

namespace {

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  (void)gmtime_r(&now, &utc);  // Fails only if the year does not fit an int.
  std::array<char, sizeof "0000-00-00T00:00:00Z"> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::optional<std::pair<std::uint32_t, std::uint32_t>> local_ports() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  return file >> first >> last ? std::optional(std::pair(first, last)) : std::nullopt;
}

}  // namespace

Environment environment() {
  utsname names{};
  (void)uname(&names);  // Cannot fail with this argument.
  return {.version = ECHOD_VERSION,
          .time = time_text(),
          .host = names.nodename,
          .kernel = std::string(names.sysname) + ' ' + names.release,
          .cpus = static_cast<unsigned>(sys::available_cpus()),
          .open_files = sys::open_files_limit().soft,
          .local_ports = local_ports()};
}

}  // namespace echod::client
