// Files in memory on a scripted kernel that refuses calls. memory_file_test uses the real kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "scripted_syscalls.hpp"
#include "sys/memory_file.hpp"

namespace echod::test {
namespace {

constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
constexpr unsigned kFlagsOfLinux63 = kFlags | 8U;  // MFD_NOEXEC_SEAL
constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

class MemoryFileFailureTest : public testing::Test {
 protected:
  sys::MemoryFile file_on_script() {
    kernel_.expect_memfd(kFd, kFlagsOfLinux63);
    return sys::MemoryFile("test");
  }
  void expect_failure(const std::string& call, int error, const std::function<void()>& run) {
    try {
      run();
      ADD_FAILURE() << "no failure of " << call;
    } catch (const std::system_error& thrown) {
      EXPECT_EQ(thrown.code().value(), error) << call;
      EXPECT_EQ(std::string(thrown.what()).substr(0, call.size() + 1), call + ':');
    }
    kernel_.verify();
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  ScriptedKernel kernel_;
};

TEST_F(MemoryFileFailureTest, AnOlderKernelGetsNoFlagThatItDoesNotKnow) {
  kernel_.expect_memfd_error(kFlagsOfLinux63, EINVAL);
  kernel_.expect_memfd(kFd, kFlags);
  const sys::MemoryFile file("test");
  EXPECT_EQ(file.fd(), kFd);
}

TEST_F(MemoryFileFailureTest, AFileThatCannotBeCreatedIsReported) {
  kernel_.expect_memfd_error(kFlagsOfLinux63, EMFILE);
  expect_failure("memfd_create", EMFILE, [] { const sys::MemoryFile file("test"); });
  kernel_.expect_memfd_error(kFlagsOfLinux63, EINVAL);
  kernel_.expect_memfd_error(kFlags, ENFILE);
  expect_failure("memfd_create", ENFILE, [] { const sys::MemoryFile file("test"); });
}

TEST_F(MemoryFileFailureTest, ReservesAllAtOnceAndReportsAShortage) {
  sys::MemoryFile file = file_on_script();
  kernel_.expect_fallocate(kFd, 5000, EINTR);
  kernel_.expect_fallocate(kFd, 5000);
  file.reserve(5000);
  for (const int error : {ENOSPC, ENOMEM}) {
    kernel_.expect_fallocate(kFd, 6000, error);
    expect_failure("fallocate", error, [&] { file.reserve(6000); });
  }
}

TEST_F(MemoryFileFailureTest, ContinuesAfterAPartAndAnInterruption) {
  sys::MemoryFile file = file_on_script();
  kernel_.expect_pwrite(kFd, "abcdef", 100, 2);
  kernel_.expect_pwrite_error(kFd, EINTR);
  kernel_.expect_pwrite(kFd, "cdef", 102, 1);
  kernel_.expect_pwrite(kFd, "def", 103);
  file.write(bytes("abcdef"), 100);
  EXPECT_EQ(kernel_.steps_left(), 0U);
}

TEST_F(MemoryFileFailureTest, AFailedWriteIsReported) {
  sys::MemoryFile file = file_on_script();
  kernel_.expect_pwrite_error(kFd, ENOSPC);
  expect_failure("pwrite", ENOSPC, [&] { file.write(bytes("abc"), 0); });
}

TEST_F(MemoryFileFailureTest, SealsAllAndReportsAFailure) {
  sys::MemoryFile file = file_on_script();
  kernel_.expect_add_seals(kFd, kSeals);
  file.seal();
  kernel_.expect_add_seals(kFd, kSeals, EBUSY);
  expect_failure("fcntl F_ADD_SEALS", EBUSY, [&] { file.seal(); });
}

TEST_F(MemoryFileFailureTest, AFailedMappingIsReported) {
  // The script leaves fstat(2) to the real kernel.
  const int fd = memfd_create("test", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(fd, 1), 0);
  kernel_.expect_mmap_error(fd, ENOMEM);
  expect_failure("mmap", ENOMEM, [fd] { const sys::MemoryMap map(fd); });
  EXPECT_EQ(kernel_.count(Call::munmap), 0U);
  EXPECT_EQ(close(fd), 0);
}

TEST_F(MemoryFileFailureTest, AMappingIsUnmappedOnce) {
  const int fd = memfd_create("test", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(fd, 1), 0);
  {
    sys::MemoryMap first(fd);
    const sys::MemoryMap second(std::move(first));
    EXPECT_EQ(second.bytes().size(), 1U);
  }
  EXPECT_EQ(kernel_.count(Call::munmap), 1U);
  EXPECT_EQ(close(fd), 0);
}

}  // namespace
}  // namespace echod::test
