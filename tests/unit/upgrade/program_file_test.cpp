// What counts as a new program, asked of the probe, which runs a copy of itself.
#include "upgrade/program_file.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "deadline.hpp"
#include "files.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

class ProgramFileTest : public testing::Test {
 protected:
  // Starts the probe, does `change`, and returns what the probe then says about it.
  template <typename Change>
  std::string answer_after(Change change, const std::vector<std::string>& environment = {}) {
    ChildProcess probe(
        {.arguments = {program_, "watch"}, .environment = environment, .has_stdin = true});
    wait_until("the probe", [&] { return probe.out().ends_with('\n'); });
    change();
    probe.write_stdin("?\n");
    probe.close_stdin();
    EXPECT_EQ(probe.wait(), 0) << probe.err();
    const std::vector<std::string> lines = lines_of(probe.out());
    EXPECT_EQ(lines.front(), program_);
    return lines.back();
  }

  TemporaryDirectory directory_;
  std::string program_ = copy_probe(directory_);
};

TEST_F(ProgramFileTest, NothingChangesByItself) {
  EXPECT_EQ(answer_after([] {}), "[]");
}

TEST_F(ProgramFileTest, AnotherFileAtThePathIsAChange) {
  EXPECT_EQ(answer_after([this] { replace_by_copy(program_); }), '[' + program_ + " has changed]");
}

TEST_F(ProgramFileTest, ANewTimeOfModificationIsAChange) {
  EXPECT_EQ(answer_after([this] {
              std::filesystem::last_write_time(
                  program_, std::filesystem::last_write_time(program_) + std::chrono::seconds(1));
            }),
            '[' + program_ + " has changed]");
}

TEST_F(ProgramFileTest, AFileThatIsReplacedBeforeTheProgramKnowsItsPathIsAChange) {
  const std::string next = directory_.file("next");
  std::filesystem::copy_file(program_, next);
  EXPECT_EQ(answer_after([] {}, {"PROBE_NEXT=" + next}), '[' + program_ + " has changed]");
}

TEST_F(ProgramFileTest, AMissingFileIsAChange) {
  EXPECT_EQ(answer_after([this] { std::filesystem::remove(program_); }),
            '[' + program_ + " has changed]");
}

TEST_F(ProgramFileTest, AReplacedLibraryIsAChange) {
  const std::string library = directory_.file(kProbeLibrary);
  EXPECT_EQ(answer_after([&] { replace_by_copy(library); }),
            "[the library " + library + " was replaced]");
}

TEST_F(ProgramFileTest, AnotherNameOfTheFileIsNoChange) {
  EXPECT_EQ(answer_after([this] {
              std::filesystem::create_hard_link(program_, directory_.file("other"));
              write_file(directory_.file("third"), "");
            }),
            "[]");
}

TEST_F(ProgramFileTest, NothingChangesIfTheProgramIsNotKnown) {
  const ProgramFile unknown("", {"echod"});
  EXPECT_EQ(unknown.change(), "");
}

TEST_F(ProgramFileTest, TheNameInTheMessageIsOneLine) {
  const std::string path = directory_.file("a\nb");
  std::filesystem::copy_file(program_, path);
  const ProgramFile program(path, {});
  std::filesystem::remove(path);
  EXPECT_EQ(program.change(), directory_.file("a\\u000Ab") + " has changed");
}

}  // namespace
}  // namespace echod::test
