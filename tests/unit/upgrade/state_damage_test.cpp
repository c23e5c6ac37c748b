// States that are refused: each kind of damage, with the line that says so.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "upgrade_states.hpp"

namespace echod::test {
namespace {

constexpr std::uint16_t kServiceCountTag = 6;   // Of the counts of the service, which may repeat,
constexpr std::uint16_t kWorkerCounterTag = 1;  // and of the counters of a worker.

class StateDamageTest : public testing::Test {
 protected:
  [[nodiscard]] std::size_t at(RecordType type) const { return parts_.position_of(type); }
  [[nodiscard]] std::string refusal() const { return state_refusal(parts_.bytes()); }
  // Returns the refusal after the field of the first record of this type was replaced.
  [[nodiscard]] std::string refusal_with(RecordType type, std::uint16_t tag,
                                         const std::string& content) const {
    StateParts changed = parts_;
    changed.set_field(at(type), tag, content);
    return state_refusal(changed.bytes());
  }

  const std::string whole_ = encoded(state_of_version_1());
  StateParts parts_{whole_};
};

// Fields that may be missing or may appear several times.
bool is_repeated(std::uint16_t type, std::uint16_t tag) {
  return (type == static_cast<std::uint16_t>(RecordType::service) && tag == kServiceCountTag) ||
         (type == static_cast<std::uint16_t>(RecordType::worker) && tag == kWorkerCounterTag);
}
bool is_optional(std::uint16_t type, std::uint16_t tag) {
  const bool is_admin = type == static_cast<std::uint16_t>(RecordType::admin);
  const bool is_connection = type == static_cast<std::uint16_t>(RecordType::connection);
  const bool is_listener = type == static_cast<std::uint16_t>(RecordType::listener);
  return is_repeated(type, tag) || (is_listener && tag == 10) ||
         (is_admin && (tag == 1 || tag == 2 || tag == 4)) ||
         (is_connection && (tag == 11 || tag == 12 || tag == 14));
}

TEST_F(StateDamageTest, WithoutDamageNothingIsRefused) {
  EXPECT_EQ(refusal(), "");
}

TEST_F(StateDamageTest, AnotherFileIsRefused) {
  const std::string line = "this is not a state of echod: it does not begin with ECHODUPG";
  EXPECT_EQ(state_refusal(""), line);
  EXPECT_EQ(state_refusal("ECHODUPG"), line);
  EXPECT_EQ(state_refusal("[listen]\nport = 2003\n"), line);
}

TEST_F(StateDamageTest, AStateForNewerProgramsIsRefused) {
  parts_.set_header(9, state_format::kVersion + 1);
  EXPECT_EQ(refusal(),
            "the state has format version 9, which needs a program that knows version 2; this one "
            "knows version 1");
}

TEST_F(StateDamageTest, EveryTruncatedStateIsRefused) {
  for (std::size_t length = 0; length < whole_.size(); ++length) {
    EXPECT_NE(state_refusal(whole_.substr(0, length)), "") << length;
  }
  EXPECT_EQ(state_refusal(whole_.substr(0, whole_.size() - 1)),
            "the state ends within record " + std::to_string(parts_.records().size()));
}

TEST_F(StateDamageTest, BytesAfterTheEndAreRefused) {
  EXPECT_EQ(state_refusal(whole_ + "xy"), "2 bytes follow the end of the state");
}

TEST_F(StateDamageTest, AFieldBeyondItsRecordIsRefused) {
  StateParts::Part record = parts_.records()[at(RecordType::admin)];
  record.content.pop_back();
  parts_.remove_record(at(RecordType::admin));
  parts_.insert_record(3, record.number, record.content);
  EXPECT_EQ(refusal(), "record 4 of the state (admin): a field is longer than the record");
}

TEST_F(StateDamageTest, EveryMissingFieldIsRefused) {
  for (std::size_t i = 0; i < parts_.records().size(); ++i) {
    const std::vector<StateParts::Part> fields = parts_.fields_of(i);
    for (std::size_t left_out = 0; left_out < fields.size(); ++left_out) {
      std::vector<StateParts::Part> rest = fields;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(left_out));
      StateParts changed = parts_;
      changed.set_fields(i, rest);
      const std::string line = state_refusal(changed.bytes());
      const std::uint16_t tag = fields[left_out].number;
      if (!is_optional(parts_.records()[i].number, tag)) {
        EXPECT_NE(line.find("field " + std::to_string(tag) + " ("), std::string::npos) << line;
        EXPECT_TRUE(line.ends_with(") is missing")) << line;
      }
    }
  }
  StateParts changed = parts_;
  changed.set_fields(at(RecordType::listener), {});
  EXPECT_EQ(state_refusal(changed.bytes()),
            "record 2 of the state (listener): field 1 (descriptor) is missing");
}

TEST_F(StateDamageTest, EveryFieldThatAppearsTwiceIsRefused) {
  for (std::size_t i = 0; i < parts_.records().size(); ++i) {
    for (const StateParts::Part& field : parts_.fields_of(i)) {
      StateParts changed = parts_;
      changed.add_field(i, field.number, field.content);
      const std::string line = state_refusal(changed.bytes());
      EXPECT_EQ(line.ends_with(") appears twice"),
                !is_repeated(parts_.records()[i].number, field.number))
          << line;
    }
  }
}

TEST_F(StateDamageTest, EveryNumberOfAnotherLengthIsRefused) {
  EXPECT_EQ(
      refusal_with(RecordType::connection, 6, number_field(std::uint32_t{1})),
      "record 9 of the state (connection): field 6 (bytes received) has 4 bytes instead of 8");
  EXPECT_EQ(refusal_with(RecordType::connection, 2, ""),
            "record 9 of the state (connection): field 2 (listener) has 0 bytes instead of 1");
  EXPECT_EQ(refusal_with(RecordType::connection, 7, "123456789"),
            "record 9 of the state (connection): field 7 (time opened) has 9 bytes instead of 8");
  EXPECT_EQ(
      refusal_with(RecordType::worker, 2, "123456789"),
      "record 7 of the state (worker): field 2 (bounds of delays) is not a list of numbers of "
      "8 bytes");
  EXPECT_EQ(refusal_with(RecordType::worker, 1, "1234567"),
            "record 7 of the state (worker): field 1 (counter) has less than 8 bytes");
}

TEST_F(StateDamageTest, AddressesOfAnotherLengthAreRefused) {
  for (const std::size_t length : {0U, 5U, 6U, 9U, 11U, 21U, 23U}) {
    EXPECT_EQ(refusal_with(RecordType::listener, 2, std::string(length, '1')),
              "record 2 of the state (listener): field 2 (configured address) is not an address")
        << length;
  }
}

TEST_F(StateDamageTest, ValuesOutOfRangeAreRefused) {
  EXPECT_EQ(refusal_with(RecordType::listener, 4, number_field(std::uint8_t{2})),
            "record 2 of the state (listener): field 4 (v6only) is 2; the largest allowed is 1");
  EXPECT_EQ(refusal_with(RecordType::listener, 8, number_field(std::uint8_t{2})),
            "record 2 of the state (listener): field 8 (protocol) is 2; the largest allowed is 1");
  EXPECT_EQ(refusal_with(RecordType::connection, 5, number_field(std::uint8_t{3})),
            "record 9 of the state (connection): field 5 (state) is 3; the largest allowed is 2");
  for (const double number : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(refusal_with(RecordType::service, 3, number_field(number)),
              "record 1 of the state (service): field 3 (start of the process) is not a finite "
              "number");
  }
}

TEST_F(StateDamageTest, StandardStreamsAreRefused) {
  for (const int fd : {-1, 0, 2, std::numeric_limits<int>::min()}) {
    const std::string end = " is " + std::to_string(fd) + "; the lowest allowed is 3";
    EXPECT_EQ(refusal_with(RecordType::connection, 3, number_field(fd)),
              "record 9 of the state (connection): field 3 (descriptor)" + end);
    EXPECT_EQ(refusal_with(RecordType::admin, 2, number_field(fd)),
              "record 6 of the state (admin): field 2 (lock)" + end);
  }
}

TEST_F(StateDamageTest, ADescriptorThatAppearsTwiceIsRefused) {
  // 24 is the writing end of a pipe.
  for (const auto& [type, tag] :
       {std::pair{RecordType::listener, 1}, std::pair{RecordType::admin, 1},
        std::pair{RecordType::admin, 2}, std::pair{RecordType::admin, 4},
        std::pair{RecordType::connection, 3}}) {
    EXPECT_EQ(refusal_with(type, static_cast<std::uint16_t>(tag), number_field(24)),
              "descriptor 24 appears twice in the state");
  }
}

TEST_F(StateDamageTest, TheServiceMustComeFirstAndOnce) {
  const std::string end = "): the first record, and only it, must be the service record";
  StateParts changed = parts_;
  changed.insert_record(2, parts_.records()[0].number, parts_.records()[0].content);
  EXPECT_EQ(state_refusal(changed.bytes()), "record 3 of the state (service" + end);
  changed = parts_;
  changed.remove_record(0);
  EXPECT_EQ(state_refusal(changed.bytes()), "record 1 of the state (listener" + end);
  changed.insert_record(0, 99, "");
  EXPECT_EQ(state_refusal(changed.bytes()), "record 1 of the state (unknown" + end);
}

TEST_F(StateDamageTest, ASecondAdminRecordIsRefused) {
  parts_.insert_record(at(RecordType::admin), static_cast<std::uint16_t>(RecordType::admin), "");
  parts_.set_field(at(RecordType::admin), 3, "/path");
  parts_.set_field(at(RecordType::admin), 5, std::string(10, '1'));
  for (std::uint16_t tag = 6; tag <= 7; ++tag) {
    parts_.set_field(at(RecordType::admin), tag, number_field(std::uint64_t{1}));
  }
  EXPECT_EQ(refusal(), "record 7 of the state (admin): there is another one before");
}

TEST_F(StateDamageTest, AnotherNumberOfConnectionsIsRefused) {
  StateParts changed = parts_;
  changed.remove_record(at(RecordType::connection));
  EXPECT_EQ(state_refusal(changed.bytes()),
            "the state has 2 connections, but its service record says 3");
  // The number alone must not make the reader reserve memory.
  EXPECT_EQ(refusal_with(RecordType::service, 7, number_field(UINT64_MAX)),
            "the state has 3 connections, but its service record says 18446744073709551615");
}

TEST_F(StateDamageTest, AWorkerThatDoesNotExistIsRefused) {
  EXPECT_EQ(refusal_with(RecordType::connection, 1, number_field(std::uint32_t{2})),
            "a connection of the state names worker 2; there are 2 workers, counted from 0");
}

TEST_F(StateDamageTest, OwedBytesThatContradictTheStateAreRefused) {
  const std::string first = "record 9 of the state (connection): ";  // It is echoing.
  EXPECT_EQ(refusal_with(RecordType::connection, 14, "owed"),
            first + "has owed bytes, but its state is not flushing");
  EXPECT_EQ(refusal_with(RecordType::connection, 13, number_field(std::uint64_t{1})),
            first + "has bytes in a pipe, but no pipe");
  EXPECT_EQ(refusal_with(RecordType::connection, 11, number_field(100)),
            first + "the pipe has only one end");
  EXPECT_EQ(refusal_with(RecordType::connection, 12, number_field(100)),
            first + "the pipe has only one end");
  // The third connection has a pipe.
  parts_.add_field(at(RecordType::connection) + 2, 14, "owed");
  EXPECT_EQ(refusal(),
            "record 11 of the state (connection): bytes are owed both in memory and in a pipe");
}

// Whatever a changed byte means, the reader answers with a state or with a line.
TEST_F(StateDamageTest, EveryChangedByteIsReadOrRefused) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole_.size(); ++i) {
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      std::string changed = whole_;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ change);
      const std::string line = state_refusal(changed);
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      refused += line.empty() ? 0U : 1U;
    }
  }
  EXPECT_GT(refused, whole_.size());
}

}  // namespace
}  // namespace echod::test
