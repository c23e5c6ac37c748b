// Compares the table of metrics in docs/operations.md with the metrics.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "admin/metrics.hpp"
#include "files.hpp"
#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

// The names between "{" or "," and "=" of a sample.
std::string labels_of(const std::string& sample) {
  std::string labels;
  for (std::size_t end = sample.find("=\""); end != std::string::npos;
       end = sample.find("=\"", end + 1)) {
    const std::size_t begin = sample.find_last_of("{,", end) + 1;
    labels += (labels.empty() ? "`" : ", `") + sample.substr(begin, end - begin) + '`';
  }
  return labels;
}

// One row of the document for each metric, in the order of the metrics.
std::vector<std::string> expected_rows() {
  std::vector<std::string> rows;
  std::istringstream lines(metrics_text(filled_snapshot(), HttpCounters{}));
  std::string help;
  std::string type;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      help = line.substr(line.find(' ', 7) + 1);
    } else if (line.starts_with("# TYPE ")) {
      const std::size_t end = line.find(' ', 7);
      const std::string name = line.substr(7, end - 7);
      type = line.substr(end + 1);
      std::string sample;
      std::getline(lines, sample);
      const std::string labels = labels_of(sample);
      rows.push_back("| `" + name + "` | " + type + " | " + labels +
                     (labels.empty() ? "| " : " | ") + help + " |");
    }
  }
  return rows;
}

TEST(DocumentOfMetrics, HasARowForEachMetricAndNoOther) {
  std::vector<std::string> rows;
  std::istringstream lines(read_file(ECHOD_SOURCE_DIR "/docs/operations.md"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("| `echod_") || line.starts_with("| `process_")) {
      rows.push_back(line);
    }
  }
  const std::vector<std::string> expected = expected_rows();
  for (const std::string& row : expected) {
    EXPECT_EQ(std::count(rows.begin(), rows.end(), row), 1) << "docs/operations.md needs:\n" << row;
  }
  for (const std::string& row : rows) {
    EXPECT_EQ(std::count(expected.begin(), expected.end(), row), 1) << "docs/operations.md has:\n"
                                                                    << row;
  }
}

std::size_t number_of_series(std::size_t listeners, std::size_t workers,
                             std::size_t datagram_listeners = 0, bool is_local = false) {
  Snapshot snapshot = filled_snapshot(listeners, workers, datagram_listeners);
  for (ListenerSnapshot& listener : snapshot.listeners) {
    listener.has_queue = !is_local;
  }
  std::istringstream lines(metrics_text(snapshot, HttpCounters{}));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    count += line.starts_with('#') ? 0U : 1U;
  }
  return count;
}

TEST(DocumentOfMetrics, SaysHowManyTimeSeriesThereAre) {
  std::string document = read_file(ECHOD_SOURCE_DIR "/docs/operations.md");
  std::replace(document.begin(), document.end(), '\n', ' ');
  const std::size_t alone = number_of_series(0, 0);
  const std::string words =
      "it is " + std::to_string(alone) + ", " + std::to_string(number_of_series(1, 0) - alone) +
      " for each TCP listener, " + std::to_string(number_of_series(0, 0, 1) - alone) +
      " for each UNIX or UDP listener, " + std::to_string(number_of_series(0, 1) - alone) +
      " for each worker, and 1 for each pair of worker and TCP or UNIX listener.";
  EXPECT_NE(document.find(words), std::string::npos) << words;
  EXPECT_EQ(number_of_series(2, 3), alone + 5 * 2 + 2 * 3 + 2 * 3);
  EXPECT_EQ(number_of_series(2, 3, 0, true), alone + 2 * 2 + 2 * 3 + 2 * 3);
}

}  // namespace
}  // namespace echod::test
