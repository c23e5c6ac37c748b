// Parses the answer to one HTTP/1.1 request (RFC 9112) from pieces of any size.
//
// Boost.Beast parses it, as it parses the requests in echod: its parser works without Asio's I/O,
// has limits, and tells an incomplete answer from a complete one.
// Thread-safety: none. Does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace echod::ctl {

struct HttpAnswer {
  int status = 0;  // 200
  std::string body;
};

class HttpAnswerParser {
 public:
  enum class State : std::uint8_t {
    incomplete,  // More bytes are needed.
    complete,    // take() has the answer. Further bytes are ignored.
    malformed,   // This is not HTTP, or its header is over 8 KiB.
    too_large,   // The body is over the limit.
  };

  static constexpr std::size_t kMostBodyBytes = std::size_t{64} << 20;

  HttpAnswerParser();
  ~HttpAnswerParser();
  HttpAnswerParser(HttpAnswerParser&& other) noexcept;
  HttpAnswerParser& operator=(HttpAnswerParser&& other) noexcept;

  // The next bytes that were received.
  State add(std::string_view bytes);
  // The end of file. An answer without a length ends here; `incomplete` means that it is cut off.
  State add_end();
  // Must be called only once, when the state is `complete`.
  [[nodiscard]] HttpAnswer take();

 private:
  struct Parser;  // Hides the headers of Boost, which are slow to compile.

  std::unique_ptr<Parser> parser_;
};

}  // namespace echod::ctl
