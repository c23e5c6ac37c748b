// States that are written and read again, also those of other versions. state_damage_test has those
// that are refused.
//
// state-1.bin was written by the first version of the format and stays as it is, so that each later
// version is tested with it. For the next version: keep state_of_version_1() and its tests, write
// state_of_version_2(), and let WritesTheStateThatIsInTheTree use it. That test fails then, and
// says where it left the file to copy here as state-2.bin.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "files.hpp"
#include "upgrade_states.hpp"

namespace echod::test {
namespace {

std::string in_the_tree(const std::string& name) {
  return std::string(ECHOD_SOURCE_DIR) + "/tests/unit/upgrade/" + name;
}

TEST(StateTest, EveryValueComesBack) {
  const std::string state = encoded(state_of_version_1());
  expect_equal(read_state(bytes_in(state)), state_of_version_1());
}

TEST(StateTest, DefaultsComeBack) {
  const std::string state = encoded({});
  expect_equal(read_state(bytes_in(state)), {});
}

TEST(StateTest, EveryStateOfAConnectionComesBack) {
  using State = ParkedConnection::State;
  for (const State each : {State::echoing, State::flushing, State::delivering}) {
    UpgradeState state{.service = {}, .connections = std::vector<ParkedConnection>(1)};
    state.service.workers.resize(1);
    state.service.connections = 1;
    state.connections[0].fd = 3;
    state.connections[0].state = each;
    const std::string bytes = encoded(state);
    EXPECT_EQ(read_state(bytes_in(bytes)).connections.at(0).state, each);
  }
}

TEST(StateTest, OwedBytesStayWhereTheyAreInTheFile) {
  const std::string state = encoded(state_of_version_1());
  const UpgradeState read = read_state(bytes_in(state));
  const std::size_t offset = state.find(text_in(read.connections.at(1).owed));
  EXPECT_EQ(reinterpret_cast<const char*>(read.connections[1].owed.data()), &state.at(offset));
}

// Owed bytes that are smaller than the buffer of the writer, as large, and larger.
TEST(StateTest, OwedBytesOfEveryLengthComeBack) {
  constexpr std::size_t kKiB = 1024;
  std::string owed;
  for (std::size_t i = 0; i < 4096 * kKiB; ++i) {
    owed += static_cast<char>(i % 251);
  }
  UpgradeState state{.service = {}, .connections = {}};
  state.service.workers.resize(1);
  int fd = 3;
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, 64 * kKiB - 1, 64 * kKiB, 64 * kKiB + 1, 4096 * kKiB}) {
    ParkedConnection& connection = state.connections.emplace_back();
    connection.fd = fd++;
    connection.state = ParkedConnection::State::flushing;
    connection.owed = bytes_in(owed).first(length);
  }
  state.service.connections = state.connections.size();
  const std::string bytes = encoded(state);
  expect_equal(read_state(bytes_in(bytes)), state);
}

TEST(StateTest, TheFileHasTheLengthThatWasCounted) {
  const UpgradeState state = state_of_version_1();
  StateWriter counter;
  counter.write(state.service);
  for (const ParkedConnection& connection : state.connections) {
    counter.write(connection);
  }
  counter.finish();
  EXPECT_EQ(counter.bytes(), encoded(state).size());
}

TEST(StateTest, WritingAConnectionAllocatesNothing) {
  const UpgradeState state = state_of_version_1();
  sys::MemoryFile file("state of a test");
  StateWriter writer(file);
  writer.write(state.service);
  const std::size_t before = allocations();
  for (int i = 0; i < 1000; ++i) {
    writer.write(state.connections[1]);
  }
  EXPECT_EQ(allocations() - before, 0U);
}

// A later version may add records and fields. It raises the oldest reader only if an older program
// would misunderstand it.
TEST(StateTest, SkipsWhatANewerVersionAdds) {
  StateParts parts(encoded(state_of_version_1()));
  parts.set_header(state_format::kVersion + 1, state_format::kVersion);
  for (std::size_t i = 0; i + 1 < parts.records().size(); ++i) {
    parts.add_field(i, 30, "unknown");
    parts.add_field(i, 30, "and again");
    parts.add_field(i, UINT16_MAX, "");
  }
  parts.insert_record(parts.records().size() - 1, 200, "not even fields");
  parts.insert_record(1, UINT16_MAX, "");
  const std::string state = parts.bytes();
  expect_equal(read_state(bytes_in(state)), state_of_version_1());
}

TEST(StateTest, TheOrderOfFieldsMakesNoDifference) {
  StateParts parts(encoded(state_of_version_1()));
  for (std::size_t i = 0; i + 1 < parts.records().size(); ++i) {
    std::vector<StateParts::Part> fields = parts.fields_of(i);
    std::stable_sort(fields.begin(), fields.end(),
                     [](const auto& a, const auto& b) { return a.number > b.number; });
    parts.set_fields(i, fields);
  }
  const std::string state = parts.bytes();
  expect_equal(read_state(bytes_in(state)), state_of_version_1());
}

TEST(StateTest, ReadsAStateOfVersion1) {
  const std::string state = read_file(in_the_tree("state-1.bin"));
  ASSERT_FALSE(state.empty());
  expect_equal(read_state(bytes_in(state)), state_of_version_1());
}

TEST(StateTest, WritesTheStateThatIsInTheTree) {
  const std::string name = "state-" + std::to_string(state_format::kVersion) + ".bin";
  const std::string written = encoded(state_of_version_1());
  const std::string kept_at = std::string(ECHOD_BUILD_DIR) + "/" + name;
  if (written != read_file(in_the_tree(name))) {
    write_file(kept_at, written);
    ADD_FAILURE() << "the format has changed: raise kVersion in state_format.hpp, and copy "
                  << kept_at << " to tests/unit/upgrade/ (docs/upgrade-state.md)";
  }
}

}  // namespace
}  // namespace echod::test
