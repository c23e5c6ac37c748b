// The server on the real kernel. http_server_shortage_test has the errors of accept4(2),
// http_connection_test the deadlines.
#include "admin/http_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "files.hpp"
#include "local_socket.hpp"
#include "sys/listen_socket.hpp"
#include "sys/local_listener.hpp"
#include "sys/stream_socket.hpp"

namespace echod::test {
namespace {

constexpr const char* kHostName = "probe7.example.net";

// Records the requests; answers them at once unless the test wants to.
class RecordingHandler final : public HttpHandler {
 public:
  struct Recorded {
    RequestId id;
    Access access;
    HttpRequest request;
  };

  void on_request(RequestId id, Access access, const HttpRequest& request) override {
    recorded.push_back({id, access, request});
    if (answer) {
      answer(id);
    }
  }
  void on_accept_paused(Access /*access*/, int /*error*/) noexcept override { ADD_FAILURE(); }
  void on_listener_lost(Access /*access*/, int /*error*/) noexcept override { ADD_FAILURE(); }

  std::vector<Recorded> recorded;
  std::function<void(RequestId)> answer;
};

// A client with a non-blocking socket.
class HttpClient {
 public:
  explicit HttpClient(sys::UniqueFd fd) : fd_(std::move(fd)) { EXPECT_TRUE(fd_.is_open()); }

  [[nodiscard]] sys::IoResult try_send(const std::string& bytes) const {
    return sys::send(fd_.get(), std::as_bytes(std::span(bytes)));
  }
  void send(const std::string& bytes) const { EXPECT_EQ(try_send(bytes).count(), bytes.size()); }
  void half_close() const { EXPECT_TRUE(sys::shut_write(fd_.get()).ok()); }
  void close() { fd_.reset(); }
  // Reads what is there. Returns whether the server has closed.
  bool has_ended() {
    std::array<char, 65536> chunk{};
    for (;;) {
      const sys::IoResult got = sys::receive(fd_.get(), std::as_writable_bytes(std::span(chunk)));
      if (got.count() == 0) {
        was_reset_ = got.error() == ECONNRESET;
        return !got.would_block();
      }
      received_.append(chunk.data(), got.count());
    }
  }
  [[nodiscard]] const std::string& received() const { return received_; }
  [[nodiscard]] bool was_reset() const { return was_reset_; }
  [[nodiscard]] std::string body() const {
    const std::size_t end = received_.find("\r\n\r\n");
    return end == std::string::npos ? "" : received_.substr(end + 4);
  }

 private:
  sys::UniqueFd fd_;
  std::string received_;
  bool was_reset_ = false;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    server_.listen(local_.fd(), Access::full);
    server_.listen(tcp_.fd.get(), Access::read_only);
    answer_with(200, "text\n");
  }

  void answer_with(int status, const std::string& body) {
    handler_.answer = [this, status, body](RequestId id) {
      HttpResponse response;
      response.status = status;
      response.body = body;
      server_.respond(id, std::move(response));
    };
  }
  void leave_unanswered() { handler_.answer = nullptr; }
  [[nodiscard]] HttpClient local_client() const { return HttpClient(connected_to_path(path_)); }
  [[nodiscard]] HttpClient tcp_client() const {
    auto fd = sys::UniqueFd::adopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    const socklen_t length = tcp_.address.to(address);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    EXPECT_EQ(fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
    return HttpClient(std::move(fd));
  }
  template <typename Condition>
  void run_until(Condition is_true) {
    while (!is_true()) {
      loop_.run_once();
    }
  }
  void run_to_end(HttpClient& client) {
    run_until([&] { return client.has_ended(); });
  }
  std::string answer_to(HttpClient client, const std::string& request) {
    client.send(request);
    run_to_end(client);
    return client.received();
  }
  std::string local_answer(const std::string& request) {
    return answer_to(local_client(), request);
  }
  std::string tcp_answer(const std::string& request) { return answer_to(tcp_client(), request); }

  static std::string request_for(const std::string& target, const std::string& host = "localhost") {
    return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
  }
  static bool has_status(const std::string& answer, int status) {
    return answer.starts_with("HTTP/1.1 " + std::to_string(status) + ' ');
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.file("admin.sock");
  sys::LocalListener local_{{.path = path_}};
  sys::ListenSocket tcp_ =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 256, false, SocketOptions{});
  EventLoop loop_;
  RecordingHandler handler_;
  HttpServer server_{loop_, handler_, kHostName};
};

// Requests.

TEST_F(HttpServerTest, AnswersOverBothKindsOfSockets) {
  for (const std::string& answer :
       {local_answer(request_for("/a?b=c")), tcp_answer(request_for("/a?b=c"))}) {
    EXPECT_TRUE(has_status(answer, 200)) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\ntext\n")) << answer;
  }
  ASSERT_EQ(handler_.recorded.size(), 2U);
  EXPECT_EQ(handler_.recorded[0].access, Access::full);
  EXPECT_EQ(handler_.recorded[1].access, Access::read_only);
  EXPECT_EQ(handler_.recorded[1].request.path, "/a");
  EXPECT_EQ(handler_.recorded[1].request.parameter("b"), "c");
  EXPECT_EQ(server_.counters().accepted, 2U);
  EXPECT_EQ(server_.counters().answered, 2U);
}

TEST_F(HttpServerTest, AHeadComesAsGetAndItsAnswerHasNoBody) {
  const std::string answer = local_answer("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(handler_.recorded.at(0).request.method, HttpMethod::get);
  EXPECT_NE(answer.find("\r\nContent-Length: 5\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, AnswersLaterAndInAnyOrder) {
  leave_unanswered();
  std::vector<HttpClient> clients;
  for (int client = 0; client < 3; ++client) {
    clients.push_back(local_client());
    clients.back().send(request_for("/" + std::to_string(client)));
  }
  run_until([&] { return handler_.recorded.size() == 3; });
  std::reverse(handler_.recorded.begin(), handler_.recorded.end());
  for (const auto& recorded : handler_.recorded) {
    HttpResponse response;
    response.body = recorded.request.path;
    server_.respond(recorded.id, std::move(response));
  }
  for (std::size_t client = 0; client < clients.size(); ++client) {
    run_to_end(clients[client]);
    EXPECT_EQ(clients[client].body(), "/" + std::to_string(client));
    clients[client].close();
  }
  run_until([&] { return server_.connections() == 0; });
}

TEST_F(HttpServerTest, AnswersLaterWithoutMemory) {
  leave_unanswered();
  HttpClient client = local_client();
  client.send(request_for("/connections"));
  run_until([&] { return handler_.recorded.size() == 1; });
  {
    const AllocationFailure none;
    server_.fail(handler_.recorded[0].id + 1);  // No-op: there is no such request.
    server_.fail(handler_.recorded[0].id);
  }
  run_to_end(client);
  EXPECT_TRUE(client.received().starts_with("HTTP/1.1 503 ")) << client.received();
  EXPECT_EQ(client.body(), "echod: out of memory\n");
}

TEST_F(HttpServerTest, AnAnswerForAClientThatIsGoneIsDropped) {
  leave_unanswered();
  HttpClient gone = local_client();
  gone.send(request_for("/"));
  run_until([&] { return handler_.recorded.size() == 1; });
  gone.close();
  run_until([&] { return server_.connections() == 0; });
  HttpClient next = local_client();
  next.send(request_for("/"));
  run_until([&] { return handler_.recorded.size() == 2; });
  server_.respond(handler_.recorded[0].id, http_error(404, "of the first"));
  server_.respond(handler_.recorded[1].id + 1, http_error(404, "of none"));
  EXPECT_FALSE(next.has_ended());
  EXPECT_EQ(next.received(), "");
  server_.respond(handler_.recorded[1].id, http_error(404, "first"));
  server_.respond(handler_.recorded[1].id, http_error(404, "second"));
  run_to_end(next);
  EXPECT_EQ(next.body(), "echod: first\n");
}

TEST_F(HttpServerTest, SendsALongAnswerToASlowReader) {
  const std::string body(8'000'000, 'x');
  answer_with(200, body);
  HttpClient client = tcp_client();
  client.send(request_for("/"));
  run_to_end(client);
  EXPECT_EQ(client.body().size(), body.size());
  EXPECT_EQ(client.body(), body);
}

TEST_F(HttpServerTest, PipelinedBytesDoNotDestroyTheAnswer) {
  for (const bool is_local : {true, false}) {
    HttpClient client = is_local ? local_client() : tcp_client();
    client.send(request_for("/") + std::string(100'000, '\x01'));
    run_to_end(client);
    EXPECT_EQ(client.body(), "text\n");
    EXPECT_FALSE(client.was_reset());
  }
  EXPECT_EQ(handler_.recorded.size(), 2U);
}

// Refusals.

TEST_F(HttpServerTest, TcpIsReadOnly) {
  for (const std::string method : {"POST", "DELETE", "PUT", "OPTIONS", "TRACE", "BREW"}) {
    const std::string answer = tcp_answer(method + " / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_TRUE(has_status(answer, 405)) << answer;
    EXPECT_NE(answer.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << answer;
  }
  EXPECT_TRUE(has_status(tcp_answer("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200));
  EXPECT_EQ(handler_.recorded.size(), 1U);
  EXPECT_EQ(server_.counters().refused, 6U);
}

TEST_F(HttpServerTest, TheUnixSocketTakesChangesButNoOtherMethods) {
  EXPECT_TRUE(has_status(local_answer("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), 200));
  EXPECT_TRUE(has_status(local_answer("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n"), 200));
  EXPECT_TRUE(has_status(local_answer("PUT / HTTP/1.1\r\nHost: x\r\n\r\n"), 501));
  ASSERT_EQ(handler_.recorded.size(), 2U);
  EXPECT_EQ(handler_.recorded[0].request.method, HttpMethod::post);
  EXPECT_EQ(handler_.recorded[1].request.method, HttpMethod::del);
}

TEST_F(HttpServerTest, OverTcpTheHostMustBeThisHost) {
  const std::string foreign = tcp_answer(request_for("/", "rebound.example:9862"));
  EXPECT_TRUE(has_status(foreign, 403)) << foreign;
  EXPECT_TRUE(
      foreign.ends_with("echod: the Host must be an IP address, localhost or probe7.example.net\n"))
      << foreign;
  EXPECT_TRUE(has_status(tcp_answer("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 403));
  EXPECT_TRUE(handler_.recorded.empty());
  for (const std::string host : {"127.0.0.1:9862", "[::1]", "localhost", kHostName}) {
    EXPECT_TRUE(has_status(tcp_answer(request_for("/", host)), 200)) << host;
  }
  EXPECT_TRUE(has_status(tcp_answer("GET / HTTP/1.0\r\n\r\n"), 200)) << "no browser sends that";
  EXPECT_TRUE(has_status(local_answer(request_for("/", "rebound.example")), 200));
}

TEST_F(HttpServerTest, TwelveMegabytesOfHeadersAreRefusedWithoutKeepingThem) {
  HttpClient client = tcp_client();
  const std::string field = "X: " + std::string(16'000, 'x') + "\r\n";
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
  std::size_t sent = 0;
  while (sent < 12'000'000) {
    run_until([&] {
      const sys::IoResult taken = client.try_send(field);
      sent += taken.count();
      EXPECT_TRUE(taken.ok() || taken.would_block()) << sys::error_text(taken.error());
      return !taken.would_block();
    });
  }
  client.half_close();
  run_to_end(client);
  EXPECT_TRUE(has_status(client.received(), 431)) << client.received();
  EXPECT_FALSE(client.was_reset());
}

// Making room.

TEST_F(HttpServerTest, TwoHundredSilentClientsKeepNobodyOut) {
  std::vector<HttpClient> silent;
  for (int client = 0; client < 200; ++client) {
    silent.push_back(client % 2 == 0 ? local_client() : tcp_client());
    if (client % 4 < 2) {
      silent.back().send("GET /");
    }
  }
  EXPECT_TRUE(has_status(local_answer(request_for("/healthz")), 200));
  EXPECT_TRUE(has_status(tcp_answer(request_for("/healthz")), 200));
  EXPECT_LE(server_.connections(), HttpServer::kConnections);
  EXPECT_EQ(server_.counters().accepted, 202U);
  EXPECT_GE(server_.counters().pushed_out, 200U - HttpServer::kConnections);
}

class HttpRoomTest : public HttpServerTest {
 protected:
  // Opens one connection after the other, so that their order is known.
  HttpClient& open_client(const std::string& bytes) {
    const auto accepted = server_.counters().accepted;
    clients_.push_back(std::make_unique<HttpClient>(local_client()));
    clients_.back()->send(bytes);
    run_until([&] { return server_.counters().accepted > accepted; });
    return *clients_.back();
  }
  HttpClient& open_with_request() {
    const auto requests = handler_.recorded.size();
    HttpClient& client = open_client(request_for("/"));
    run_until([&] { return handler_.recorded.size() > requests; });
    return client;
  }
  void fill_up(const std::string& bytes) {
    while (server_.connections() < HttpServer::kConnectionsPerAccess) {
      (void)open_client(bytes);
    }
  }

  std::vector<std::unique_ptr<HttpClient>> clients_;
};

TEST_F(HttpRoomTest, TheOldestWithItsAnswerMakesRoomFirst) {
  HttpClient& silent = open_client("");
  HttpClient& answered = open_with_request();
  HttpClient& answered_later = open_with_request();
  run_until([&] { return !answered_later.received().empty() || answered_later.has_ended(); });
  fill_up("");
  (void)open_client("");
  EXPECT_EQ(server_.counters().pushed_out, 1U);
  EXPECT_FALSE(silent.has_ended());
  answered.close();
  (void)open_client("");
  EXPECT_EQ(server_.counters().pushed_out, 2U);
  EXPECT_FALSE(silent.has_ended());
  (void)open_client("");
  EXPECT_TRUE(silent.has_ended());
}

TEST_F(HttpRoomTest, TheOldestWithoutARequestMakesRoomBeforeOlderRequests) {
  leave_unanswered();
  HttpClient& waiting = open_with_request();
  HttpClient& dripping = open_client("GET");
  HttpClient& silent = open_client("");
  fill_up("");
  (void)open_client("");
  EXPECT_TRUE(dripping.has_ended());
  EXPECT_FALSE(silent.has_ended());
  (void)open_client("");
  EXPECT_TRUE(silent.has_ended());
  EXPECT_FALSE(waiting.has_ended());
}

TEST_F(HttpRoomTest, IfAllWaitForTheirAnswersTheOldestMakesRoom) {
  leave_unanswered();
  HttpClient& first = open_with_request();
  HttpClient& second = open_with_request();
  while (server_.connections() < HttpServer::kConnectionsPerAccess) {
    (void)open_with_request();
  }
  HttpClient& newest = open_with_request();
  EXPECT_TRUE(first.has_ended());
  EXPECT_FALSE(second.has_ended());
  server_.respond(handler_.recorded.front().id, http_error(404, "nobody"));
  server_.respond(handler_.recorded.back().id, http_error(404, "newest"));
  run_to_end(newest);
  EXPECT_EQ(newest.body(), "echod: newest\n");
}

TEST_F(HttpRoomTest, ClientsOverTcpDoNotPushOutThoseOfTheUnixSocket) {
  HttpClient& silent = open_client("");
  std::vector<HttpClient> over_tcp;
  while (over_tcp.size() < 2 * HttpServer::kConnections) {
    over_tcp.push_back(tcp_client());
  }
  run_until([&] { return server_.counters().accepted == 1 + over_tcp.size(); });
  EXPECT_EQ(server_.connections(), 1 + HttpServer::kConnectionsPerAccess);
  EXPECT_FALSE(silent.has_ended());
}

// Listening.

TEST_F(HttpServerTest, StopsListeningAndKeepsOpenConnections) {
  HttpClient open = tcp_client();
  run_until([&] { return server_.connections() == 1; });
  server_.stop_listening(tcp_.fd.get());
  server_.stop_listening(tcp_.fd.get());
  HttpClient waiting = tcp_client();
  open.send(request_for("/"));
  run_to_end(open);
  EXPECT_EQ(open.body(), "text\n");
  EXPECT_EQ(server_.counters().accepted, 1U);
  server_.listen(tcp_.fd.get(), Access::read_only);
  waiting.send(request_for("/"));
  run_to_end(waiting);
  EXPECT_EQ(waiting.body(), "text\n");
}

TEST_F(HttpServerTest, ListeningOnWhatIsNoSocketThrows) {
  EXPECT_THROW(server_.listen(-1, Access::full), std::system_error);
}

// Memory.

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnsweredWith503) {
  handler_.answer = [](RequestId) { throw std::bad_alloc(); };
  EXPECT_TRUE(has_status(local_answer(request_for("/")), 503));
  handler_.answer = [this](RequestId id) {
    server_.respond(id, http_error(404, "before it threw"));
    throw std::runtime_error("afterwards");
  };
  EXPECT_TRUE(has_status(local_answer(request_for("/")), 404));
}

TEST_F(HttpServerTest, WithoutMemoryANewConnectionIsClosed) {
  HttpClient client = local_client();
  client.send(request_for("/"));
  {
    const AllocationFailure none;
    while (server_.counters().accepted == 0) {
      loop_.run_once();
    }
  }
  EXPECT_TRUE(client.has_ended());
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(HttpServerTest, WithoutMemoryForARequestItsAnswerIs503) {
  HttpClient client = local_client();
  run_until([&] { return server_.connections() == 1; });
  client.send(request_for("/"));
  {
    const AllocationFailure none;
    loop_.run_once();
  }
  run_to_end(client);
  EXPECT_EQ(client.received(),
            "HTTP/1.1 503 Service Unavailable\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 21\r\n"
            "Connection: close\r\n"
            "Cache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n"
            "\r\n"
            "echod: out of memory\n");
  EXPECT_EQ(server_.counters().failed, 1U);
}

TEST_F(HttpServerTest, WithoutMemoryForTheHeadTheAnswerIs503) {
  leave_unanswered();
  HttpClient client = local_client();
  client.send(request_for("/"));
  run_until([&] { return handler_.recorded.size() == 1; });
  HttpResponse response = http_error(404, "a text");
  {
    const AllocationFailure none;
    server_.respond(handler_.recorded[0].id, std::move(response));
  }
  run_to_end(client);
  EXPECT_EQ(client.body(), "echod: out of memory\n");
}

}  // namespace
}  // namespace echod::test
