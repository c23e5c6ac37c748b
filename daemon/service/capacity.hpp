// Computes for a configuration how many open files, workers, connections and pipes this process can
// have.
//
// Thread-safety: belongs to the main thread. Only the constructor and unknown_descriptors() block,
// on /proc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/config.hpp"
#include "echo/echo_settings.hpp"
#include "service/connection_limit.hpp"
#include "sys/open_files.hpp"

namespace spdlog {
class logger;
}

namespace echod {

class Capacity {
 public:
  // Sets the limit on open files as `config` says. `foreign`: descriptors that are open and that
  // echod does not use. Throws StartupError if no descriptor is left for a connection.
  Capacity(const Config& config, std::size_t foreign);

  [[nodiscard]] std::size_t workers() const noexcept { return workers_; }
  [[nodiscard]] std::uint64_t open_files() const noexcept { return open_files_.soft; }
  [[nodiscard]] std::size_t foreign_descriptors() const noexcept { return foreign_; }

  // How many connections and pipes together may use.
  [[nodiscard]] std::uint64_t usable_descriptors() const noexcept { return usable_descriptors_; }

  [[nodiscard]] ConnectionLimit limit_for(const Config& config) const;
  // The settings of each worker. `limit` is that of limit_for().
  [[nodiscard]] EchoSettings settings_for(const Config& config, const ConnectionLimit& limit) const;

  // Logs the limits in force, and warns about values that are probably not intended.
  void announce(const Config& config, const ConnectionLimit& limit, spdlog::logger& log) const;

 private:
  [[nodiscard]] SpliceSettings splice_settings_for(const Config& config) const noexcept;

  const std::size_t foreign_;
  const sys::OpenFilesLimit open_files_;
  const std::size_t workers_;
  const std::uint64_t usable_descriptors_;
};

// Descriptors that are open now, without the standard streams and `known` other ones. Reads /proc.
[[nodiscard]] std::size_t unknown_descriptors(std::size_t known) noexcept;

}  // namespace echod
