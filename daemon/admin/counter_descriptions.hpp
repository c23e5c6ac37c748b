// What the metrics and the status page say about each counter.
//
// Thread-safety: constant data.
#pragma once

#include <string>
#include <string_view>

#include "telemetry/counters.hpp"

namespace echod {

struct CounterDescription {
  Counter counter;
  std::string_view metric;   // Its name for Prometheus. Counters with the same name are one metric.
  std::string_view meaning;  // "connections that were accepted".
  std::string_view label = {};  // Its only label, and the value of that; empty: none.
  std::string_view value = {};
  std::string_view metric_help = {};  // Only of the first counter of a metric with labels.
};

[[nodiscard]] const CounterDescription& description_of(Counter counter) noexcept;
// The help of the metric. Empty if another counter of the same metric comes before it.
[[nodiscard]] std::string metric_help(const CounterDescription& description);

}  // namespace echod
