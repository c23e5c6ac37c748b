// Finds out from the status of echod how an upgrade ended.
// Thread-safety: plain values, and functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/echoctl/status.hpp"

namespace echod::ctl {

struct UpgradeEnd {
  // JSON has the name of the enumerator.
  enum class Result : std::uint8_t {
    done,     // The new program runs.
    applied,  // The configuration was applied, without an upgrade.
    refused,  // echod or the new program refused the upgrade or its configuration.
    failed,   // A step of the upgrade failed. The old program runs.
    stopped,  // echod stops.
  };

  Result result = Result::done;
  std::string version;               // The version of the program that runs now.
  std::string earlier_version = {};  // done: the version of the program that it replaced.
  std::uint64_t connections = 0;     // done: how many were kept.
  double pause_s = 0;                // done
  std::string error = {};            // refused, failed, stopped: why.

  [[nodiscard]] bool is_good() const noexcept {
    return result == Result::done || result == Result::applied;
  }
};

// Empty if it has not ended. Throws a FatalError if echod was started again meanwhile.
[[nodiscard]] std::optional<UpgradeEnd> upgrade_end(const UpgradeOrder& order, const Status& now);

// One line without a newline: "echod 0.2.0 has replaced echod 0.1.0: ...".
[[nodiscard]] std::string upgrade_text(const UpgradeEnd& end);
// One line with a newline.
[[nodiscard]] std::string upgrade_json(const UpgradeEnd& end);

}  // namespace echod::ctl
