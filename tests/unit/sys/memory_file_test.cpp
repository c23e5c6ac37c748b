#include "sys/memory_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "upgrade_states.hpp"

namespace echod::test {
namespace {

constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

std::string content_of(const sys::MemoryFile& file) {
  return text_in(sys::MemoryMap(file.fd()).bytes());
}

struct stat stat_of(int fd) {
  struct stat status {};
  EXPECT_EQ(fstat(fd, &status), 0);
  return status;
}

TEST(MemoryFileTest, ANewFileIsEmptyAndClosesOnExec) {
  const sys::MemoryFile file("test");
  EXPECT_EQ(fcntl(file.fd(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(content_of(file), "");
}

TEST(MemoryFileTest, ADestroyedFileIsClosed) {
  int fd = -1;
  {
    const sys::MemoryFile file("test");
    fd = file.fd();
  }
  EXPECT_EQ(close(fd), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(MemoryFileTest, WritesAtTheGivenOffset) {
  sys::MemoryFile file("test");
  file.write(bytes_in("behind"), 3);
  file.write(bytes_in("abc"), 0);
  EXPECT_EQ(content_of(file), "abcbehind");
}

TEST(MemoryFileTest, ReservesMemoryAtFullLength) {
  constexpr std::uint64_t kBytes = std::uint64_t{1024} * 1024;
  constexpr std::uint64_t kBlockBytes = 512;  // stat(2).
  sys::MemoryFile file("test");
  file.reserve(kBytes);
  EXPECT_EQ(stat_of(file.fd()).st_size, kBytes);
  EXPECT_GE(static_cast<std::uint64_t>(stat_of(file.fd()).st_blocks) * kBlockBytes, kBytes);
}

TEST(MemoryFileTest, ReservingNothingChangesNothing) {
  sys::MemoryFile file("test");
  file.reserve(0);
  EXPECT_EQ(stat_of(file.fd()).st_size, 0);
}

TEST(MemoryFileTest, ASealedFileCannotChange) {
  sys::MemoryFile file("test");
  file.write(bytes_in("abc"), 0);
  file.seal();
  EXPECT_EQ(fcntl(file.fd(), F_GET_SEALS) & kAllSeals, kAllSeals);
  EXPECT_THROW(file.write(bytes_in("x"), 0), std::system_error);
  EXPECT_EQ(ftruncate(file.fd(), 0), -1);
  EXPECT_EQ(ftruncate(file.fd(), 100), -1);
  EXPECT_EQ(content_of(file), "abc");
}

TEST(MemoryMapTest, OutlivesTheDescriptor) {
  auto file = sys::MemoryFile("test");
  file.write(bytes_in("abc"), 0);
  const sys::MemoryMap map(file.fd());
  { const sys::MemoryFile gone = std::move(file); }
  EXPECT_EQ(text_in(map.bytes()), "abc");
}

TEST(MemoryFileTest, OneWithASealedLengthCanBeWrittenAndNeitherGrowsNorShrinks) {
  sys::MemoryFile file("test");
  file.write(bytes_in("abc"), 0);
  file.seal_length();
  file.write(bytes_in("x"), 0);
  EXPECT_EQ(ftruncate(file.fd(), 0), -1);
  EXPECT_EQ(ftruncate(file.fd(), 100), -1);
  EXPECT_EQ(content_of(file), "xbc");
}

TEST(MemoryMapTest, GivesMemoryOfTheFileBackAndCanFillItAgain) {
  constexpr std::size_t kBytes = std::size_t{1} << 20U;
  sys::MemoryFile file("test");
  file.write(bytes_in(std::string(kBytes, 'a')), 0);
  file.seal_length();
  const sys::MemoryMap map(file.fd());
  sys::drop_pages(map.writable_bytes());
  EXPECT_EQ(stat_of(file.fd()).st_blocks, 0);
  map.writable_bytes()[kBytes / 2] = std::byte{'b'};
  EXPECT_EQ(content_of(file)[kBytes / 2], 'b');
}

TEST(MemoryMapTest, OfASealedFileIsReadOnly) {
  sys::MemoryFile file("test");
  file.write(bytes_in("abc"), 0);
  file.seal();
  const sys::MemoryMap map(file.fd());
  EXPECT_EQ(text_in(map.bytes()), "abc");
  EXPECT_TRUE(map.writable_bytes().empty());
}

TEST(MemoryMapTest, CanBeMoved) {
  sys::MemoryFile file("test");
  file.write(bytes_in("abc"), 0);
  sys::MemoryMap first(file.fd());
  const std::byte* const begin = first.bytes().data();
  sys::MemoryMap second(std::move(first));
  EXPECT_EQ(second.bytes().data(), begin);
  sys::MemoryFile other("test");
  other.write(bytes_in("other"), 0);
  sys::MemoryMap third(other.fd());
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), begin);
  EXPECT_EQ(text_in(third.bytes()), "abc");
}

TEST(MemoryMapTest, ADescriptorThatIsNotAFileIsRefused) {
  try {
    const sys::MemoryMap map(-1);
    ADD_FAILURE() << "mapped";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EBADF);
    EXPECT_EQ(std::string(error.what()).substr(0, 6), "fstat:");
  }
}

}  // namespace
}  // namespace echod::test
