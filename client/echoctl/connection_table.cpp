#include "client/echoctl/connection_table.hpp"

#include <cstddef>

#include "client/text/figures.hpp"

namespace echod::ctl {

using Align = Table::Align;

std::string silent_workers_text(const std::vector<std::uint64_t>& workers,
                                const std::string& consequence) {
  if (workers.empty()) {
    return "";
  }
  std::string numbers;
  for (const std::uint64_t worker : workers) {
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(worker);
  }
  return (workers.size() == 1 ? "worker " : "workers ") + numbers +
         " did not answer: " + consequence;
}

std::string connections_text(const ConnectionList& list, Sizes sizes, const Style& style) {
  if (list.total == 0) {
    return "no connections\n";
  }
  Table table({{"ID", Align::left},
               {"PEER", Align::left},
               {"LISTENER", Align::left},
               {"WORKER"},
               {"AGE"},
               {"IDLE"},
               {"RECEIVED"},
               {"OWED"},
               {"STATE", Align::left}});
  for (const Connection& one : list.connections) {
    table.add({one.id, one.peer, one.listener, std::to_string(one.worker), age_text(one.age_s),
               age_text(one.idle_s), size_text(one.bytes_received, sizes),
               size_text(one.owed_bytes, sizes), one.state});
  }
  const std::vector<std::string> lines = table.lines();
  std::string text = style.bold(lines.front()) + '\n';
  for (std::size_t i = 1; i < lines.size(); ++i) {
    text += lines[i] + '\n';
  }
  const std::uint64_t shown = list.connections.size();
  if (shown < list.total) {
    text += (shown == 0 ? std::string("none")
                        : client::count_text(list.offset + 1) + " to " +
                              client::count_text(list.offset + shown)) +
            " of " + client::count_text(list.total) +
            " connections; --limit and --offset show others\n";
  }
  return text;
}

Table busiest_table(const ConnectionList& list,
                    const std::function<std::string(const Connection&)>& speed) {
  Table table({{"BUSIEST", Align::left},
               {"PER SECOND"},
               {"RECEIVED"},
               {"OWED"},
               {"IDLE"},
               {"WORKER"},
               {"STATE", Align::left}});
  for (const Connection& one : list.connections) {
    table.add({one.peer, speed(one), size_text(one.bytes_received, Sizes::readable),
               size_text(one.owed_bytes, Sizes::readable), age_text(one.idle_s),
               std::to_string(one.worker), one.state});
  }
  return table;
}

}  // namespace echod::ctl
