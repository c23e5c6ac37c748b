#include "client/load/task_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "loop/event_loop.hpp"

namespace echod::client {
namespace {

TEST(TaskQueueTest, RunsTasksInOrderAndThoseThatTheyPostInALaterTurn) {
  EventLoop loop;
  TaskQueue tasks(loop);
  std::string journal;
  tasks.post([&] {
    journal += '1';
    tasks.post([&journal] { journal += '3'; });
  });
  tasks.post([&journal] { journal += '2'; });
  loop.run_once();
  EXPECT_EQ(journal, "12");
  loop.run_once();
  EXPECT_EQ(journal, "123");
}

TEST(TaskQueueTest, TasksOfManyThreadsAllRunInTheThreadOfTheLoop) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 1000;
  EventLoop loop;
  TaskQueue tasks(loop);
  int done = 0;  // Used only by the loop's thread.
  std::vector<std::thread> posters;
  for (int i = 0; i < kThreads; ++i) {
    posters.emplace_back([&tasks, &done] {
      for (int task = 0; task < kTasks; ++task) {
        tasks.post([&done] { ++done; });
      }
    });
  }
  while (done < kThreads * kTasks) {
    loop.run_once();  // Blocks until the test times out if a wake-up is lost.
  }
  for (std::thread& poster : posters) {
    poster.join();
  }
  EXPECT_EQ(done, kThreads * kTasks);
}

}  // namespace
}  // namespace echod::client
