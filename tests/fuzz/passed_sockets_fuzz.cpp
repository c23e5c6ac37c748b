// Fuzzes socket activation. For any $LISTEN_FDS, $LISTEN_PID and $LISTEN_FDNAMES, and any
// descriptors, echod either has a listener for each [[listen]], or refuses with a one-line error.
// It owns the descriptors that it took.
//
// An input is a sequence of fields that end in NUL: the kind of each descriptor from 3 on, the kind
// of each [[listen]] (see make_kinds), $LISTEN_PID ("self" is this process), $LISTEN_FDS, and, if
// there are more bytes, $LISTEN_FDNAMES. An empty variable is not set.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <map>
#include <system_error>
#include <utility>

#include "fuzz_target.hpp"
#include "service/exit_codes.hpp"
#include "service/passed_sockets.hpp"

namespace echod::test {
namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 6;   // The most descriptors that are passed. The next one is closed.

// Occupies the descriptors that the target uses, so that the fuzzer does not get them for its
// files.
void occupy_descriptors() noexcept {
  for (;;) {
    const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || fd > kFirst + kMost) {
      (void)close(fd);
      return;
    }
  }
}
[[maybe_unused]] const bool are_occupied = (occupy_descriptors(), true);

// A kind of descriptor: the socket or file to pass, and the [[listen]] that matches it.
struct Kind {
  sys::UniqueFd fd;  // If it is closed, the passed descriptor is not open.
  ListenConfig listen;
};

// Moves a descriptor to a number that is higher than those of passed descriptors.
sys::UniqueFd high(sys::UniqueFd fd) {
  constexpr int kHigh = 64;
  return sys::UniqueFd::adopt(fcntl(fd.get(), F_DUPFD_CLOEXEC, kHigh));
}

Kind listening(const char* host, bool v6only = false) {
  Kind kind;
  kind.listen.address = *SocketAddress::parse(host, 0);
  kind.listen.v6only = v6only;
  try {
    sys::ListenSocket socket = sys::open_listener(kind.listen.address, 1, v6only, {});
    kind.listen.address = socket.address;
    kind.fd = high(std::move(socket.fd));
  } catch (const std::system_error&) {
    kind.listen.address.set_port(kDefaultPort);  // A host without IPv6.
  }
  return kind;
}

Kind datagrams(const char* host, bool v6only = false) {
  Kind kind;
  kind.listen.protocol = Protocol::udp;
  kind.listen.address = *SocketAddress::parse(host, 0);
  kind.listen.v6only = v6only;
  try {
    sys::DatagramSocket socket = sys::open_datagram_socket(kind.listen.address, v6only, {});
    kind.listen.address = socket.address;
    kind.fd = high(std::move(socket.fd));
  } catch (const std::system_error&) {
    kind.listen.address.set_port(kDefaultPort);  // A host without IPv6.
  }
  return kind;
}

Kind of(int fd) {
  return {.fd = high(sys::UniqueFd::adopt(fd)), .listen = {}};
}

// Without a path the kernel chooses a name.
sys::UniqueFd listening_on_unix(const std::string& path = "") {
  auto fd = sys::UniqueFd::adopt(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto length =
      static_cast<socklen_t>(path.empty() ? sizeof address.sun_family : sizeof address);
  const bool listens = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
                       listen(fd.get(), 1) == 0;
  require(listens, "a UNIX socket listens");
  return fd;
}

Kind listening_at(const std::string& name) {
  Kind kind;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread.
  const char* const directory = std::getenv("TMPDIR");
  kind.listen.path = std::string(directory != nullptr ? directory : "/tmp") + "/echod-fuzz-" +
                     std::to_string(getpid()) + '-' + name;
  kind.fd = high(listening_on_unix(kind.listen.path));
  (void)unlink(kind.listen.path.c_str());  // The socket keeps the name of the path.
  return kind;
}

std::map<char, Kind> make_kinds() {
  std::map<char, Kind> kinds;
  kinds['4'] = listening("127.0.0.1");
  kinds['5'] = listening("127.0.0.2");
  kinds['6'] = listening("::1");
  kinds['d'] = listening("::");
  kinds['o'] = listening("::", true);
  kinds['z'] = listening("0.0.0.0");
  // [[listen]] on "::" with the port of 'z': without IPv6, systemd makes a socket like 'z', not
  // 'd'.
  kinds['D'].listen.address = SocketAddress::any_v6(kinds['z'].listen.address.port());
  kinds['p'] = listening_at("p");
  kinds['q'] = listening_at("q");
  kinds['a'] = datagrams("127.0.0.1");
  kinds['b'] = datagrams("::");
  kinds['c'] = datagrams("::", true);
  kinds['t'] = of(socket(AF_INET, SOCK_STREAM, 0));
  kinds['u'] = of(socket(AF_INET, SOCK_DGRAM, 0));
  kinds['x'] = of(listening_on_unix().release());
  kinds['f'] = of(open("/dev/null", O_RDONLY));
  return kinds;
}

const Kind& kind_of(char letter) {
  static const std::map<char, Kind> all_kinds = make_kinds();
  static const Kind none;
  const auto found = all_kinds.find(letter);
  return found == all_kinds.end() ? none : found->second;
}

bool is_open(int fd) noexcept {
  return fcntl(fd, F_GETFD) >= 0;
}

// Puts the descriptors in place. The destructor occupies the numbers of closed ones again.
class PassedDescriptors {
 public:
  explicit PassedDescriptors(const std::string& kinds) {
    for (int i = 0; i <= kMost; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const bool is_passed = at < kinds.size() && i < kMost;
      const int fd = is_passed ? kind_of(kinds[at]).fd.get() : -1;
      (void)(fd >= 0 ? dup2(fd, kFirst + i) : close(kFirst + i));
    }
  }
  PassedDescriptors(const PassedDescriptors&) = delete;
  PassedDescriptors& operator=(const PassedDescriptors&) = delete;
  ~PassedDescriptors() { occupy_descriptors(); }
};

void set_variable(const char* name, const std::string& value) {
  // NOLINTBEGIN(concurrency-mt-unsafe): there is one thread.
  (void)(value.empty() ? unsetenv(name) : setenv(name, value.c_str(), 1));
  // NOLINTEND(concurrency-mt-unsafe)
}

void check_refusal(const StartupError& error) {
  require(is_one_line(error.what()), "a refusal is one line", error.what());
  require(error.code() == ExitCode::configuration, "a refusal has the code for the configuration",
          error.what());
}

template <typename Socket>
void check_sockets(const std::vector<Socket>& sockets, const std::vector<ListenConfig>& wanted) {
  require(sockets.size() == wanted.size(), "each protocol has its sockets");
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const SocketAddress& address = wanted[i].address;
    const Socket& got = sockets[i];
    require(got.fd.is_open() && got.is_passed, "a listener has its socket");
    if constexpr (requires { got.path; }) {
      require(got.path == wanted[i].path, "a listener has its path", got.path);
    }
    require(wanted[i].is_local() || got.address == address ||
                (got.fell_back_to_v4 && got.address == SocketAddress::any_v4(address.port())),
            "a listener has its address", got.address.text());
  }
}

void check_adoption(std::vector<PassedSocket> passed, const Config& config) {
  const std::size_t count = passed.size();
  try {
    const PassedListeners listeners = adopt_passed_sockets(std::move(passed), config);
    require(listeners.streams.size() + listeners.datagrams.size() == config.listen.size() &&
                config.listen.size() == count,
            "passed sockets and configuration agree one to one");
    check_sockets(listeners.streams, listeners_of(config, Protocol::tcp));
    check_sockets(listeners.datagrams, listeners_of(config, Protocol::udp));
  } catch (const StartupError& error) {
    check_refusal(error);
  }
}

void check_taking(const Config& config) {
  std::vector<PassedSocket> passed;
  try {
    passed = receive_passed_sockets();
  } catch (const StartupError& error) {
    check_refusal(error);  // The variables do not match the descriptors.
    return;
  }
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread.
    require(std::getenv(name) == nullptr, "the variables are not passed on", name);
  }
  const int count = static_cast<int>(passed.size());
  for (int i = 0; i < count; ++i) {
    require(passed[static_cast<std::size_t>(i)].fd.get() == kFirst + i && is_open(kFirst + i),
            "descriptors are taken in their order");
  }
  if (count > 0) {  // Otherwise the service opens its own sockets.
    check_adoption(std::move(passed), config);
  }
  for (int fd = kFirst; fd < kFirst + count; ++fd) {
    require(!is_open(fd), "descriptors that were taken are closed");
  }
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  test::FuzzInput input(data, size);
  const std::string kinds = input.field();
  Config config;
  config.listen.clear();
  constexpr std::size_t kMostEntries = 8;
  for (const char letter : input.field().substr(0, kMostEntries)) {
    config.listen.push_back(test::kind_of(letter).listen);
  }
  const std::string pid = input.field();
  test::set_variable("LISTEN_PID", pid == "self" ? std::to_string(getpid()) : pid);
  test::set_variable("LISTEN_FDS", input.field());
  test::set_variable("LISTEN_FDNAMES", input.field());
  const test::PassedDescriptors descriptors(kinds);
  test::check_taking(config);
  return 0;
}
