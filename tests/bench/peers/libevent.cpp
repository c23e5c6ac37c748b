// Echo with libevent's bufferevents: one event base, input moved to output without a copy
// (evbuffer_add_buffer), reading disabled while more than 1 MiB is unsent, as in its example
// le-proxy.
// Limits: version 2.1 reads at most 4 KiB at a time (EVBUFFER_MAX_READ), each time after an ioctl
// for the size of the queue. For each reply it adds a write event and removes it afterwards.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <csignal>
#include <cstddef>

#include "peer_socket.hpp"

namespace {

constexpr std::size_t kMostUnsent = 1024UL * 1024;

void on_event(bufferevent* client, short what, void* context);
void on_readable(bufferevent* client, void* context);

std::size_t unsent(bufferevent* client) {
  return evbuffer_get_length(bufferevent_get_output(client));
}

// Ends a pause: few enough bytes are unsent.
void on_drained(bufferevent* client, void* context) {
  bufferevent_setcb(client, on_readable, nullptr, on_event, context);
  bufferevent_setwatermark(client, EV_WRITE, 0, 0);
  bufferevent_enable(client, EV_READ);
}

void on_readable(bufferevent* client, void* context) {
  evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client));
  if (unsent(client) > kMostUnsent) {
    bufferevent_setcb(client, on_readable, on_drained, on_event, context);
    bufferevent_setwatermark(client, EV_WRITE, kMostUnsent / 2, 0);
    bufferevent_disable(client, EV_READ);
  }
}

// After the end of file: everything is sent.
void on_flushed(bufferevent* client, void* /*context*/) {
  bufferevent_free(client);
}

void on_event(bufferevent* client, short what, void* context) {
  if ((what & BEV_EVENT_EOF) != 0 && unsent(client) > 0) {
    bufferevent_setcb(client, nullptr, on_flushed, on_event, context);
  } else {
    bufferevent_free(client);
  }
}

void on_connection(evconnlistener* listener, evutil_socket_t fd, sockaddr* /*address*/,
                   int /*length*/, void* context) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  bufferevent* client =
      bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  if (client == nullptr) {
    evutil_closesocket(fd);
    return;
  }
  (void)bufferevent_set_max_single_write(client, peers::kBufferSize);
  bufferevent_setcb(client, on_readable, nullptr, on_event, context);
  bufferevent_enable(client, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  const sockaddr_in address = peers::address_argument(argc, argv);
  peers::raise_open_files();
  (void)std::signal(SIGPIPE, SIG_IGN);
  event_base* base = event_base_new();
  if (base == nullptr) {
    peers::fail("event_base_new");
  }
  if (evconnlistener_new_bind(base, on_connection, nullptr,
                              LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                              peers::kBacklog, reinterpret_cast<const sockaddr*>(&address),
                              sizeof address) == nullptr) {
    peers::fail("listen");
  }
  return event_base_dispatch(base);
}
