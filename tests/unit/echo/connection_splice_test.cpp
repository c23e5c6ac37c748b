// A connection whose bytes go through a pipe: each round and each way out of it.
#include <cerrno>

#include "echo_fixture.hpp"

namespace echod::test {

namespace {

constexpr std::size_t kLeast = 8;              // Bytes from which on a round splices.
const std::string kBulk = "0123456789abcdef";  // A block full.

class ConnectionSpliceTest : public EchoFixture {
 protected:
  [[nodiscard]] static EchoSettings splicing() {
    EchoSettings settings = small_settings();
    settings.splice = {.pipes = 2,
                       .pipe_bytes = 64,
                       .least_bytes = kLeast,
                       .most_rounds = 2,
                       .most_rounds_in_all = 3,
                       .patience = 2,
                       .copies_after_small_pieces = 2};
    return settings;
  }

  ConnectionSpliceTest() { context_.apply(splicing()); }

  void expect_copy(const std::string& bytes, int fd = kFd) {
    kernel_.expect_recv(fd, bytes);
    kernel_.expect_send(fd, bytes);
  }
  void expect_splice(const std::string& bytes, int fd = kFd) {
    kernel_.expect_splice_in(fd, bytes);
    kernel_.expect_splice_out(fd);
  }
  // Brings the connection to where its next round asks how much waits.
  void connect_with_bulk() {
    connect(kFd);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    expect_copy(kBulk);
    kernel_.expect_recv_error(kFd, EAGAIN);
    iterate();
    kernel_.set_unread(kFd, 1000);
  }
  // ... and to where it owes "abcdef", which is in a pipe.
  void connect_owing_from_a_pipe() {
    connect_with_bulk();
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_splice_in(kFd, kBulk);
    kernel_.expect_splice_out(kFd, 10);
    kernel_.expect_splice_out_error(kFd, EAGAIN);
    kernel_.expect_modify(kFd, kWriting);
    iterate();
  }
  // The limit is one round, so one of the first connection would forbid this one.
  void expect_another_splices() {
    EchoSettings fewer = splicing();
    fewer.splice.most_rounds_in_all = 1;
    context_.apply(fewer);
    connect(kOther);
    kernel_.set_unread(kOther, 1000);
    kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
    expect_copy(kBulk, kOther);
    expect_splice(kBulk, kOther);
    drained(kOther);
    iterate();
    EXPECT_EQ(count(Counter::splice_capped), 0);
  }
  void drained(int fd = kFd) {
    kernel_.expect_splice_in_error(fd, EAGAIN);
    kernel_.expect_recv_error(fd, EAGAIN);
  }
  void splice_once(int fd = kFd) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN}});
    expect_splice(kBulk, fd);
    drained(fd);
    iterate();
  }
};

TEST_F(ConnectionSpliceTest, SplicesOnceABulkyRoundWasReadAndAsMuchWaits) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_splice(kBulk);
  expect_splice("01234567");
  drained();
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), kBulk + kBulk + "01234567");
  EXPECT_EQ(count(Counter::splice_rounds), 2);
  EXPECT_EQ(count(Counter::bytes_spliced), kBulk.size() + 8);
  EXPECT_EQ(count(Counter::bytes_received), 2 * kBulk.size() + 8);
  EXPECT_EQ(count(Counter::bytes_sent), 2 * kBulk.size() + 8);
  EXPECT_EQ(count(Counter::splice_enters), 1);
  EXPECT_EQ(count(Counter::echoes), 3);
}

TEST_F(ConnectionSpliceTest, CopiesWhenLittleWaits) {
  connect_with_bulk();
  kernel_.set_unread(kFd, kLeast - 1);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_copy("0123456");
  iterate();
  EXPECT_EQ(count(Counter::splice_rounds), 0);
  EXPECT_EQ(kernel_.open_pipes(), 0) << "a pipe is opened when it is needed";
}

TEST_F(ConnectionSpliceTest, DoesNotAskHowMuchWaitsWhileMessagesAreSmall) {
  connect(kFd);
  kernel_.set_unread(kFd, 1000);
  for (int i = 0; i < 3; ++i) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    expect_copy("hello");
    iterate();
  }
  EXPECT_EQ(kernel_.count(Call::ioctl), 0);
}

TEST_F(ConnectionSpliceTest, StopsAskingAfterSmallRounds) {
  connect_with_bulk();
  kernel_.set_unread(kFd, 5);
  for (int i = 0; i < 4; ++i) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    expect_copy("hello");
    iterate();
  }
  // Once in the turn that read to EAGAIN, then for each of the two rounds that patience lasts.
  EXPECT_EQ(kernel_.count(Call::ioctl), 3);
  EXPECT_EQ(count(Counter::splice_leaves), 0) << "it never spliced";
}

TEST_F(ConnectionSpliceTest, ReadsSmallPiecesBackAndCopiesForAWhile) {
  connect_with_bulk();
  context_.settings.turn_bytes = 200;
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_splice_in(kFd, "few");
  kernel_.expect_send(kFd, "few");
  for (int i = 0; i < 2; ++i) {
    expect_copy(kBulk);
  }
  expect_splice(kBulk);  // It tries again.
  drained();
  iterate();
  EXPECT_EQ(count(Counter::splice_read_backs), 1);
  EXPECT_EQ(count(Counter::splice_rounds), 1);
  EXPECT_EQ(count(Counter::turns_over_budget), 0);
}

TEST_F(ConnectionSpliceTest, OwesWhatIsLeftInThePipeAndFlushesIt) {
  connect_owing_from_a_pipe();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out(kFd, 4);
  kernel_.expect_splice_out_error(kFd, EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out_error(kFd, EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out(kFd);
  kernel_.expect_modify(kFd, kReading);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), kBulk + kBulk);
  EXPECT_EQ(count(Counter::bytes_sent), 2 * kBulk.size());
  EXPECT_EQ(kernel_.open_pipes(), 1) << "an empty pipe is kept for the next round";
}

// A signal such as SIGSTOP ends the call early: no EPOLLOUT follows, because nothing was full.
TEST_F(ConnectionSpliceTest, AShortSpliceOutIsRepeatedUntilTheSocketIsFull) {
  connect_owing_from_a_pipe();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out(kFd, 2);
  kernel_.expect_splice_out(kFd, 1);
  kernel_.expect_splice_out(kFd);
  kernel_.expect_modify(kFd, kReading);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), kBulk + kBulk);
}

TEST_F(ConnectionSpliceTest, AnErrorBehindTheFirstBytesIsFinalAndTheBytesAreCounted) {
  connect_owing_from_a_pipe();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out(kFd, 2);
  kernel_.expect_splice_out_error(kFd, EPIPE);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1);
  EXPECT_EQ(count(Counter::bytes_sent), kBulk.size() + 12);
  EXPECT_TRUE(has_logged("in=32 out=28")) << log();
}

class SpliceEventTest : public ConnectionSpliceTest,
                        public testing::WithParamInterface<std::uint32_t> {};

TEST_P(SpliceEventTest, CopiesUntilRecvHasReadToTheEnd) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | GetParam()}});
  expect_copy(kBulk);
  expect_copy("tail");
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(count(Counter::splice_rounds), 0);
}

INSTANTIATE_TEST_SUITE_P(Of, SpliceEventTest, testing::Values(EPOLLPRI, EPOLLRDHUP));

TEST_F(ConnectionSpliceTest, AsksRecvWhenSpliceHasNothing) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_splice_in(kFd, "");  // An urgent mark that came just now.
  expect_copy("u");
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), kBulk + "u");
}

class SpliceRefusalTest : public ConnectionSpliceTest, public testing::WithParamInterface<int> {};

TEST_P(SpliceRefusalTest, IsNoEndOfTheConnectionBecauseRecvIsAsked) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_splice_in_error(kFd, GetParam());
  expect_copy("rest");
  iterate();
  EXPECT_EQ(closed_in_all(), 0);
  EXPECT_EQ(count(Counter::splice_refused), 1);
  EXPECT_EQ(shared_.pinned_rounds, 0U);
}

INSTANTIATE_TEST_SUITE_P(By, SpliceRefusalTest,
                         testing::Values(EAGAIN, EINVAL, ENOMEM, EPERM, ENOSYS, EOPNOTSUPP));

TEST_F(ConnectionSpliceTest, TheFirstErrorOfTheSocketIsFinal) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_splice_in_error(kFd, ECONNRESET);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1);
}

TEST_F(ConnectionSpliceTest, AnErrorOfTheWayOutLosesWhatIsInThePipeAndThePipe) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_splice_in(kFd, kBulk);
  kernel_.expect_splice_out_error(kFd, EPIPE);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1);
  EXPECT_TRUE(has_logged("in=32 out=16")) << log();
  EXPECT_EQ(count(Counter::bytes_lost), 16);
  EXPECT_EQ(kernel_.open_pipes(), 0);
}

TEST_F(ConnectionSpliceTest, AnErrorWhileFlushingLosesWhatIsInThePipeAndThePipe) {
  connect_owing_from_a_pipe();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLHUP | EPOLLERR}});
  kernel_.expect_splice_out_error(kFd, ECONNRESET);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1);
  EXPECT_TRUE(has_logged("in=32 out=26")) << log();
  EXPECT_EQ(kernel_.open_pipes(), 0);
}

TEST_F(ConnectionSpliceTest, AnAbortResetsWhatIsOwedFromAPipe) {
  connect_owing_from_a_pipe();
  context_.table.visit(0, 1, [](Connection& one) { one.abort(CloseReason::forced); });
  EXPECT_TRUE(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER))
      << "a FIN would say that this was all";
  expect_rest();
  EXPECT_EQ(kernel_.open_pipes(), 0);
}

TEST_F(ConnectionSpliceTest, CopiesWithoutAPipeAndTriesAgainAfterASecond) {
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_pipe_error(EMFILE);
  expect_copy(kBulk);
  expect_copy("short");
  iterate();
  EXPECT_EQ(count(Counter::splice_no_pipe), 2);
  kernel_.advance(std::chrono::seconds(1));
  splice_once();
  EXPECT_EQ(count(Counter::splice_pipe_too_small), 0);
}

TEST_F(ConnectionSpliceTest, CopiesIfAPipeHasTooLittleRoom) {
  kernel_.set_pipe_room(8);
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_copy(kBulk);
  expect_copy("short");
  iterate();
  EXPECT_EQ(count(Counter::splice_pipe_too_small), 1);
  EXPECT_EQ(kernel_.open_pipes(), 0);
}

TEST_F(ConnectionSpliceTest, CopiesWhenTheConnectionHasTooMuchUnacknowledged) {
  connect_with_bulk();
  kernel_.set_unacknowledged(kFd, 1000);
  context_.settings.turn_bytes = 200;
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_splice(kBulk);
  expect_splice(kBulk);
  expect_copy(kBulk);
  expect_copy("short");
  iterate();
  EXPECT_EQ(count(Counter::splice_capped), 2);
  EXPECT_EQ(count(Counter::splice_leaves), 1);
  kernel_.set_unacknowledged(kFd, 0);
  splice_once();
}

TEST_F(ConnectionSpliceTest, WhatConnectionsPinIsBoundedForAllOfThem) {
  connect_with_bulk();
  kernel_.set_unacknowledged(kFd, 1000);
  shared_.pinned_rounds = 2;  // Another worker has them.
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_splice(kBulk);
  expect_copy("short");
  iterate();
  EXPECT_EQ(count(Counter::splice_capped), 1);

  connect(kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  expect_copy(kBulk, kOther);
  kernel_.set_unread(kOther, 1000);
  kernel_.set_unacknowledged(kOther, 1000);
  expect_copy("short", kOther);
  iterate();
  EXPECT_EQ(count(Counter::splice_capped), 2);
  EXPECT_EQ(shared_.pinned_rounds, 3U) << "what is copied pins nothing";
  shared_.pinned_rounds -= 2;
  splice_once(kOther);
}

TEST_F(ConnectionSpliceTest, WhatIsCopiedLaterPinsNothing) {
  connect_with_bulk();
  kernel_.set_unacknowledged(kFd, 5);
  splice_once();
  kernel_.set_unacknowledged(kFd, 1000);
  context_.table.visit(0, 1, [](Connection& one) { one.check_timeouts(); });
  EXPECT_EQ(shared_.pinned_rounds, 1U);
}

// What does not fit into the budget would have to be copied.
TEST_F(ConnectionSpliceTest, EndsItsTurnWhenLessOfTheBudgetIsLeftThanASpliceNeeds) {
  connect_with_bulk();
  context_.settings.turn_bytes = kBulk.size() + kLeast - 1;
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_splice(kBulk);
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1);
  kernel_.expect_epoll_wait({}, 0);
  expect_splice(kBulk);
  iterate();
  EXPECT_EQ(count(Counter::splice_leaves), 0);
}

// A reload may have made turns shorter than the smallest round that is spliced.
TEST_F(ConnectionSpliceTest, CopiesInTurnsThatAreTooShortToSplice) {
  connect_with_bulk();
  splice_once();
  context_.settings.turn_bytes = kLeast - 1;
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_copy("0123456");
  iterate();
  EXPECT_EQ(count(Counter::splice_leaves), 1);
}

TEST_F(ConnectionSpliceTest, ACloseGivesBackWhatWasPinned) {
  connect_owing_from_a_pipe();
  context_.table.visit(0, 1, [](Connection& one) { one.abort(CloseReason::forced); });
  expect_another_splices();
}

TEST_F(ConnectionSpliceTest, ASweepGivesBackWhatIsAcknowledged) {
  connect_owing_from_a_pipe();
  kernel_.set_unacknowledged(kFd, 10);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_splice_out(kFd);
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.set_unacknowledged(kFd, 0);
  context_.table.visit(0, 1, [](Connection& one) { one.check_timeouts(); });
  expect_another_splices();
}

TEST_F(ConnectionSpliceTest, WhatItPinsIsCountedAgainAfterAnUpgrade) {
  connect_with_bulk();
  kernel_.set_unacknowledged(kFd, 10);
  splice_once();
  ParkedConnection parked;
  context_.table.visit(0, 1, [&parked](Connection& one) { parked = one.park(); });
  EXPECT_TRUE(parked.pins_memory);
  parked.fd = kOther;
  kernel_.set_unacknowledged(kOther, 10);
  const std::size_t asked = kernel_.count(Call::ioctl);
  context_.resume(parked, nullptr);
  EXPECT_EQ(kernel_.count(Call::ioctl), asked + 1) << "how much is unacknowledged";
  context_.table.visit(1, 1, [&parked](Connection& one) { parked = one.park(); });
  EXPECT_TRUE(parked.pins_memory);
}

TEST_F(ConnectionSpliceTest, AConnectionThatOnlyCopiedPinsNothing) {
  connect_with_bulk();
  context_.table.visit(0, 1, [](Connection& one) { EXPECT_FALSE(one.park().pins_memory); });
}

TEST_F(ConnectionSpliceTest, ADrainSplicesWhatItOwesAndNoMore) {
  connect_with_bulk();
  kernel_.set_unread(kFd, 20);
  context_.table.visit(0, 1, [](Connection& one) { one.begin_drain(); });
  kernel_.expect_epoll_wait({}, 0);
  expect_splice(kBulk);
  kernel_.expect_recv(kFd, "0123");
  kernel_.expect_send(kFd, "0123");
  kernel_.expect_shutdown(kFd);
  iterate();
}

TEST_F(ConnectionSpliceTest, WithoutPipesItNeverAsksHowMuchWaits) {
  context_.apply(small_settings());
  connect_with_bulk();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_copy(kBulk);
  expect_copy("short");
  iterate();
  EXPECT_EQ(kernel_.count(Call::ioctl), 0);
}

}  // namespace

}  // namespace echod::test
