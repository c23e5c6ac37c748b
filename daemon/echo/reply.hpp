// Bytes that were received from a peer and not sent back yet, wherever they are kept: in a block of
// memory (buffer_pool.hpp) or in a pipe (pipe_pool.hpp). The connection that holds a
// reply does not know where its bytes are.
//
// Thread-safety: none; belongs to its worker's thread.
#pragma once

#include <cstddef>
#include <memory>

#include "io_result.hpp"

namespace echod {

class Reply {
 public:
  // Gives the memory or the pipe back to its pool.
  struct Return {
    void operator()(Reply* reply) const noexcept { reply->give_back(); }
  };

  virtual ~Reply() = default;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  // Bytes that are still to be sent.
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  // Hands the kernel what it takes. If it succeeds and size() is not 0 then, the socket's send
  // buffer is full. An error may come after some bytes: size() says what is left.
  virtual sys::IoResult send(int socket) noexcept = 0;

 protected:
  Reply() noexcept = default;

 private:
  virtual void give_back() noexcept = 0;
};

using ReplyPtr = std::unique_ptr<Reply, Reply::Return>;

}  // namespace echod
