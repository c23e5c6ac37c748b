#include "sys/available_cpus.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "files.hpp"
#include "one_cpu.hpp"

namespace echod::test {
namespace {

// A file system with the control groups of Debian, Docker and old systemd.
class AvailableCpusTest : public testing::Test {
 protected:
  void have(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    write_file(file, text);
  }
  [[nodiscard]] std::size_t cpus() const { return sys::available_cpus(root_.path()); }
  static std::size_t affinity() {
    const cpu_set_t cpus = allowed_cpus();
    return static_cast<std::size_t>(CPU_COUNT(&cpus));
  }

  const TemporaryDirectory root_;
};

TEST_F(AvailableCpusTest, AreThoseOfTheAffinityMaskWithoutAQuota) {
  EXPECT_EQ(cpus(), affinity());
}

TEST_F(AvailableCpusTest, FollowTheAffinityMask) {
  const OneCpu one;
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(AvailableCpusTest, AreLimitedByTheQuotaOfTheGroup) {
  have("proc/self/cgroup", "0::/system.slice/echod.service\n");
  have("sys/fs/cgroup/system.slice/echod.service/cpu.max", "100000 100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(AvailableCpusTest, AreLimitedByTheQuotaOfAParentGroup) {
  have("proc/self/cgroup", "0::/system.slice/echod.service\n");
  have("sys/fs/cgroup/system.slice/cpu.max", "50000 100000\n");
  have("sys/fs/cgroup/system.slice/echod.service/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(AvailableCpusTest, AreLimitedByTheQuotaOfAContainerThatSeesItsGroupAsTheRoot) {
  have("proc/self/cgroup", "0::/\n");
  have("sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(AvailableCpusTest, AreLimitedByAQuotaOfVersionOne) {
  have("proc/self/cgroup", "5:memory:/\n2:cpu,cpuacct:/docker/1\n0::/\n");
  have("sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us", "80000\n");
  have("sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpus(), 1U);
}

TEST_F(AvailableCpusTest, AreRoundedUpForAFractionalQuota) {
  have("proc/self/cgroup", "0::/\n");
  have("sys/fs/cgroup/cpu.max", "110000 100000\n");
  EXPECT_EQ(cpus(), std::min<std::size_t>(2, affinity()));
}

TEST_F(AvailableCpusTest, IgnoreFilesWithoutAQuota) {
  have("proc/self/cgroup", "2:cpu:/\n3:cpuset:/x\n0::/a\nnonsense\n");
  have("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  have("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  have("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  EXPECT_EQ(cpus(), affinity());
}

TEST_F(AvailableCpusTest, AreNotRaisedByAQuota) {
  have("proc/self/cgroup", "0::/\n");
  have("sys/fs/cgroup/cpu.max", "100000000 100000\n");
  EXPECT_EQ(cpus(), affinity());
}

}  // namespace
}  // namespace echod::test
