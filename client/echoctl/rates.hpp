// How fast echod's counters grew between two answers to GET /status.
// Thread-safety: stateless functions, plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/echoctl/status.hpp"

namespace echod::ctl {

// Counts per second, except for `seconds`, `delays` and `cpu_share`. No value is negative.
struct Rates {
  double seconds = 0;  // Between the two answers, by echod's clock.
  double accepted = 0;
  double closed = 0;  // The sum of all reasons.
  double echoes = 0;
  double bytes_received = 0;
  double bytes_sent = 0;
  double datagrams_received = 0;
  double datagrams_echoed = 0;
  double datagrams_dropped = 0;                                  // By echod, for all reasons.
  double datagrams_dropped_by_kernel = 0;                        // Before echod could read them.
  std::vector<std::pair<std::string, double>> closed_by_reason;  // Without zeros; largest first.
  double cpu_share = 0;                                          // CPUs that were busy: 1.5.
  Delays delays;                                                 // Sampled between the answers.
};

// Empty if echod was started again in between, or if its clock did not advance.
[[nodiscard]] std::optional<Rates> rates_between(const Status& before, const Status& now);

// How much a counter grew; 0 if it became smaller.
[[nodiscard]] std::uint64_t growth(std::uint64_t before, std::uint64_t now) noexcept;

// The prefix of the counters of closes: "closed_reset".
inline constexpr std::string_view kClosedPrefix = "closed_";

// The delay that the share `share` of the samples does not exceed: 0.99 for the 99th percentile.
// Assumes that the samples of a range are evenly distributed, as Prometheus does
// (histogram_quantile). Empty without samples. The last range has no upper bound; there the result
// is its lower bound.
[[nodiscard]] std::optional<double> quantile(const Delays& delays, double share) noexcept;
// "18 us"; "> 1 s" in the range without a bound; "-" without samples.
[[nodiscard]] std::string quantile_text(const Delays& delays, double share);

}  // namespace echod::ctl
