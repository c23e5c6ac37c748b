// Upgrades that do not come to their end, with real workers and small programs. What happens after
// execve(2) is tested with the real daemon.
#include "service/upgrade.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "deadline.hpp"
#include "files.hpp"
#include "tcp_peer.hpp"
#include "upgrade_probe.hpp"
#include "workers_fixture.hpp"

namespace echod::test {
namespace {

class UpgradeTest : public WorkersFixture {
 protected:
  struct Failure {
    Upgrade::Result result;
    std::string why;
  };

  // The program is a script. If it ran for anything but a check, it would take the place of this
  // test: then the test fails.
  void use_script(const std::string& text) {
    use(write_script(directory_, "test \"$1\" = --check-upgrade || exit 99\n" + text));
  }
  void use(const std::string& path, const WorkerEvents& events = no_events()) {
    WorkerEvents with_parking = events;
    with_parking.on_parked = [this] { upgrade_->on_worker_parked(); };
    program_.emplace(path, std::vector<std::string>{"echod"});
    workers_ = make(2, with_parking);
    upgrade_.emplace(loop_, *workers_, *program_,
                     Upgrade::Hooks{.describe =
                                        [this] {
                                          describe_();
                                          return ServiceState{};
                                        },
                                    .before_exec = [this] { before_exec_(); },
                                    .on_failed =
                                        [this](Upgrade::Result result, std::string why) {
                                          failures_.push_back({result, std::move(why)});
                                        }});
    start(*workers_);
  }
  void run_until_failed(std::size_t times = 1) {
    while (failures_.size() < times) {
      loop_.run_once();
    }
  }
  // Expects one more failure, with this reason, and that everything goes on.
  void expect_failure(Upgrade::Result result, const std::string& why) {
    const std::size_t before = failures_.size();
    upgrade_->begin();
    run_until_failed(before + 1);
    EXPECT_EQ(failures_.back().result, result);
    EXPECT_EQ(failures_.back().why, why);
    EXPECT_FALSE(upgrade_->is_in_progress());
    EXPECT_FALSE(workers_->are_parked());
  }
  [[nodiscard]] bool is_serving() const { return connect().echoes("hello"); }
  // What the program leaves behind in the directory.
  [[nodiscard]] std::string left(const std::string& name) const {
    return read_file(directory_.file(name));
  }

  TemporaryDirectory directory_;
  std::function<void()> describe_ = [] {};
  std::function<void()> before_exec_ = [] { ADD_FAILURE() << "the program would be replaced"; };
  std::vector<Failure> failures_;
  EventLoop loop_;
  std::unique_ptr<Workers> workers_;
  std::optional<ProgramFile> program_;
  std::optional<Upgrade> upgrade_;
};

TEST_F(UpgradeTest, AProgramThatRefusesIsRefusedWithItsWords) {
  use_script("echo 'echod: /etc/echod.toml:3: no such key' >&2; exit 78");
  expect_failure(Upgrade::Result::refused, program_->path() + ": /etc/echod.toml:3: no such key");
  EXPECT_TRUE(is_serving());
}

TEST_F(UpgradeTest, AProgramThatCannotBeExecutedIsRefused) {
  use(directory_.file("none"));
  expect_failure(Upgrade::Result::refused,
                 program_->path() + " cannot be executed: No such file or directory");
  EXPECT_TRUE(is_serving());
}

TEST_F(UpgradeTest, EachAttemptIsAnUpgradeOfItsOwn) {
  use_script("echo no >&2; exit 1");
  for (int i = 0; i < 3; ++i) {
    expect_failure(Upgrade::Result::refused, program_->path() + ": no");
  }
  EXPECT_TRUE(is_serving());
}

TEST_F(UpgradeTest, WithoutMemoryForTheStateItFailsWithoutWords) {
  use_script("echo 'workers = 2'");
  describe_ = [] { throw std::bad_alloc(); };
  upgrade_->begin();
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].result, Upgrade::Result::failed);
  EXPECT_EQ(failures_[0].why, "");
  EXPECT_FALSE(upgrade_->is_in_progress());
  EXPECT_TRUE(is_serving());
}

TEST_F(UpgradeTest, AStateThatCannotBeDescribedFailsWithTheReason) {
  use_script("echo 'workers = 2'");
  describe_ = [] { throw std::runtime_error("no state today"); };
  upgrade_->begin();
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].result, Upgrade::Result::failed);
  EXPECT_EQ(failures_[0].why, "no state today");
}

TEST_F(UpgradeTest, WithoutMemoryForTheStateOfParkedWorkersTheyResume) {
  use_script("echo 'workers = 2'");
  int described = 0;
  describe_ = [&described] {
    if (++described == 2) {
      throw std::bad_alloc();
    }
  };
  TcpPeer client = connect();
  ASSERT_TRUE(client.echoes("before"));
  expect_failure(Upgrade::Result::failed, "");
  EXPECT_EQ(described, 2);
  EXPECT_TRUE(client.echoes("after"));
}

TEST_F(UpgradeTest, BegunTwiceItIsOneUpgrade) {
  use_script("echo x >> \"$(dirname \"$0\")/runs\"; exit 1");
  int described = 0;
  describe_ = [&described] { ++described; };
  upgrade_->begin();
  upgrade_->begin();
  EXPECT_TRUE(upgrade_->is_in_progress());
  EXPECT_TRUE(upgrade_->is_checking());
  run_until_failed();
  EXPECT_EQ(described, 1);
  EXPECT_EQ(left("runs"), "x\n");
  EXPECT_EQ(failures_.size(), 1U);
}

TEST_F(UpgradeTest, CancelledDuringTheCheckNothingFailsAndWorkersServe) {
  use_script("exec sleep 1000");
  TcpPeer client = connect();
  upgrade_->begin();
  ASSERT_TRUE(upgrade_->is_checking());
  EXPECT_TRUE(client.echoes("meanwhile"));
  upgrade_->cancel();
  EXPECT_FALSE(upgrade_->is_in_progress());
  EXPECT_TRUE(upgrade_->is_cancelling());
  while (upgrade_->is_cancelling()) {
    loop_.run_once();
  }
  EXPECT_FALSE(upgrade_->is_checking()) << "the child is killed";
  EXPECT_FALSE(upgrade_->is_in_progress());
  EXPECT_TRUE(failures_.empty());
  EXPECT_TRUE(client.echoes("after"));
}

TEST_F(UpgradeTest, CancelledWhileWorkersParkTheyServe) {
  use_script("echo 'workers = 2'");
  TcpPeer client = connect();
  upgrade_->begin();
  while (upgrade_->is_checking()) {
    loop_.run_once();  // The last iteration begins to park, and does not see that it is done.
  }
  ASSERT_TRUE(upgrade_->is_in_progress());
  upgrade_->cancel();
  wait_until("the end of parking", [this] { return !workers_->are_parked(); });
  loop_.wake_up();
  loop_.run_once();
  EXPECT_TRUE(failures_.empty());
  EXPECT_TRUE(client.echoes("after"));
}

TEST_F(UpgradeTest, CancelledWhenThereIsNoneItDoesNothing) {
  use_script("exit 1");
  upgrade_->cancel();
  EXPECT_FALSE(upgrade_->is_in_progress());
  EXPECT_TRUE(failures_.empty());
}

TEST_F(UpgradeTest, AfterAFailedExecNoConnectionIsLost) {
  use_script("echo 'workers = 2'");
  std::vector<TcpPeer> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(connect());
    ASSERT_TRUE(clients.back().echoes("before"));
  }
  std::vector<TcpPeer> readers = late_readers(*workers_, 4);
  bool were_parked = false;
  before_exec_ = [&] {
    were_parked = workers_->are_parked();
    clients.front().send_all("meanwhile");
    std::filesystem::remove(program_->path());
  };
  expect_failure(Upgrade::Result::failed,
                 "execve " + program_->path() + ": No such file or directory");
  EXPECT_TRUE(were_parked);
  EXPECT_EQ(clients.front().receive_exactly(9), "meanwhile");
  for (TcpPeer& client : clients) {
    EXPECT_TRUE(client.echoes("after"));
  }
  expect_all_bytes(readers);
  EXPECT_TRUE(is_serving());
  EXPECT_EQ(count_of(*workers_, Counter::accepted), 10U);
}

TEST_F(UpgradeTest, AfterAFailedExecNoDescriptorIsInheritedByOtherPrograms) {
  use_script("echo 'workers = 2'");
  TcpPeer client = connect();
  ASSERT_TRUE(client.echoes("before"));
  before_exec_ = [this] { std::filesystem::remove(program_->path()); };
  expect_failure(Upgrade::Result::failed,
                 "execve " + program_->path() + ": No such file or directory");
  std::size_t checked = 0;
  park(*workers_);
  for (std::size_t i = 0; i < workers_->size(); ++i) {
    workers_->at(i).visit_parked([&checked](const ParkedConnection& connection) {
      EXPECT_EQ(fcntl(connection.fd, F_GETFD), FD_CLOEXEC);
      ++checked;
    });
  }
  EXPECT_EQ(checked, 1U);
}

TEST_F(UpgradeTest, AFailedExecCanBeFollowedByAnotherAttempt) {
  use_script("echo 'workers = 2'");
  const std::string path = program_->path();
  before_exec_ = [&path] { std::filesystem::rename(path, path + ".away"); };
  TcpPeer client = connect();
  for (int i = 0; i < 5; ++i) {
    expect_failure(Upgrade::Result::failed, "execve " + path + ": No such file or directory");
    ASSERT_TRUE(client.echoes("again"));
    std::filesystem::rename(path + ".away", path);
  }
}

TEST_F(UpgradeTest, AWorkerThatDoesNotParkEndsTheUpgradeAndTheOthersResume) {
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::atomic<int> begun{0};
  WorkerEvents events = no_events();
  events.on_serving = [&begun, opened] {
    if (++begun == 1) {
      opened.wait();
    }
  };
  use(write_script(directory_, "test \"$1\" = --check-upgrade || exit 99\necho 'workers = 2'"),
      events);
  wait_until("both workers", [&begun] { return begun == 2; });
  TcpPeer client = connect();
  ASSERT_TRUE(client.echoes("before")) << "by the worker that is not stuck";
  expect_failure(Upgrade::Result::failed, "a worker did not stop within 2 s");
  EXPECT_TRUE(client.echoes("after"));
  gate.set_value();
  wait_until("the stuck worker", [this] { return workers_->are_serving(); });
  EXPECT_TRUE(is_serving());
  EXPECT_FALSE(workers_->are_parked());
}

}  // namespace
}  // namespace echod::test
