// Visits all connections of a worker for another thread, to list or to close them.
//
// Thread-safety: made by another thread, which hands it to Worker::inquire(). Then only the
// worker's thread uses it, until end() is called or the worker drops it.
#pragma once

namespace echod {

class Connection;

class ConnectionInquiry {
 public:
  ConnectionInquiry() noexcept = default;
  ConnectionInquiry(const ConnectionInquiry&) = delete;
  ConnectionInquiry& operator=(const ConnectionInquiry&) = delete;
  virtual ~ConnectionInquiry() = default;

  // Called for each connection, in slices (connection_visit.hpp). Must not block.
  virtual void visit(Connection& connection) noexcept = 0;
  // Called after the last connection.
  virtual void end() noexcept = 0;
};

}  // namespace echod
