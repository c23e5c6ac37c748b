"""The faults that each system call of the daemon gets: those that its manual page documents and that come from outside.

Errors that only a bug of echod can cause (EBADF, EFAULT, EINVAL, ENOTSOCK, EISCONN, ...) are left out: handling them
would hide the bug. getrlimit(2), clock_gettime(2) and ioctl(2) on a TCP socket document no other errors.
"""

import errno
import re
from dataclasses import dataclass

CLASSES = {
    "resources": ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ENOSPC", "EDQUOT", "EFBIG", "ENOLCK"),
    "transient": ("EINTR", "EAGAIN"),
    "network and peer": ("ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH",
                         "ENETDOWN", "EPROTO", "ENOTCONN", "ECONNREFUSED", "EADDRINUSE", "EADDRNOTAVAIL",
                         "EAFNOSUPPORT"),
    "permission": ("EPERM", "EACCES", "EROFS"),
    "I/O": ("EIO", "ENXIO", "ENODEV", "EOVERFLOW", "ENOENT", "ENOPROTOOPT", "EINVAL"),
    "short": ("cut",),
    "memory": ("allocation",),
}
KINDS = {code: kind for kind, codes in CLASSES.items() for code in codes}
NO_DESCRIPTORS = ("EMFILE", "ENFILE", "ENOMEM")
DISK = ("ENOSPC", "EDQUOT", "EFBIG", "EIO")
ACCEPT = ("ECONNABORTED", "EPROTO", "EPERM", "ENETDOWN", "EHOSTUNREACH", *NO_DESCRIPTORS, "ENOBUFS", "EINTR", "EAGAIN")


@dataclass(frozen=True)
class Fault:
    """What happens to one call; see Fault in fault_layer.hpp.

    `action`: `fail` (is not made, fails with `code`), `after` (is made, then fails with `code`), `cut` (is made with a
    length of at most `length`), or `part` (is made with a few bytes, and the next one fails).
    """

    action: str
    code: str = ""
    length: int = 0

    @property
    def name(self) -> str:
        return {"cut": f"cut-to-{self.length}", "part": f"part-then-{self.code}"}.get(self.action, self.code)

    @property
    def kind(self) -> str:
        wanted = self.action if self.action == "cut" else self.code
        return KINDS[wanted]

    @property
    def value(self) -> int:
        return self.length if self.action == "cut" else getattr(errno, self.code)

    @property
    def is_transient(self) -> bool:
        """The call must be repeated, or did a part: no client and no operator may notice."""
        return self.kind in ("transient", "short")


def failures(*codes: str) -> list[Fault]:
    return [Fault("fail", code) for code in codes]


CUTS = [Fault("cut", length=1), Fault("cut", length=7)]
NOTHING: list[Fault] = []
# For each call: (part of the caller's name, faults). The first entry that matches the caller is used.
TABLE: dict[str, list[tuple[str, list[Fault]]]] = {
    "socket": [("", failures(*NO_DESCRIPTORS, "ENOBUFS", "EACCES", "EAFNOSUPPORT"))],
    "bind": [("", failures("EACCES", "EADDRINUSE", "EADDRNOTAVAIL", "ENOMEM"))],
    # The path of a socket that nobody serves gives ECONNREFUSED or ENOENT.
    "connect": [("require_dead", failures("EACCES")),
                ("", failures("EACCES", "ECONNREFUSED", "ENOENT"))],
    "listen": [("", failures("EADDRINUSE"))],
    "accept4": [("", failures(*ACCEPT))],
    "getsockname": [("", failures("ENOBUFS"))],
    "setsockopt": [("", failures("ENOPROTOOPT", "ENOMEM"))],
    "getsockopt": [("", failures("ENOPROTOOPT", "ENOBUFS"))],
    # discard comes after a peek, so the bytes are there and EAGAIN is impossible.
    "recv": [("discard", failures("EINTR", "ECONNRESET", "ETIMEDOUT", "ENOMEM") + CUTS),
             ("", failures("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM") + CUTS)],
    # One read in 64 is timed.
    "recvmsg": [("", failures("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM") + CUTS)],
    "recvmmsg": [("", failures("EINTR", "EAGAIN", "ENOMEM"))],
    # A datagram that is not sent is dropped and counted.
    "sendmmsg": [("", failures("EINTR", "EAGAIN", "ENOBUFS", "ENOMEM", "EHOSTUNREACH", "EPERM"))],
    # LocalSender treats ENOBUFS and ENOMEM, of send and connect, like EAGAIN: it sends the message again.
    "send": [("LocalSender", failures("EINTR", "EAGAIN", "ECONNREFUSED", "ENOTCONN")),
             ("", failures("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOBUFS", "ENOMEM")
              + CUTS)],
    "shutdown": [("", failures("ENOTCONN"))],
    "ioctl": [("", NOTHING)],
    "epoll_create1": [("", failures(*NO_DESCRIPTORS))],
    "epoll_ctl": [("", failures("ENOSPC", "ENOMEM"))],
    "epoll_wait": [("", failures("EINTR"))],
    "eventfd": [("", failures(*NO_DESCRIPTORS, "ENODEV"))],
    "signalfd": [("", failures(*NO_DESCRIPTORS, "ENODEV"))],
    "pipe2": [("", failures(*NO_DESCRIPTORS))],
    # F_SETPIPE_SZ fails if the pipes of the user have too much memory already.
    "fcntl": [("", failures("EPERM", "ENOMEM"))],
    "splice": [("splice_in", failures("EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "ENOMEM", "EINVAL") + CUTS),
               ("", failures("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENOMEM") + CUTS)],
    "open": [("fill_standard_descriptors", failures(*NO_DESCRIPTORS, "EACCES", "ENOENT")),
             ("", failures(*NO_DESCRIPTORS, "EINTR", "EACCES", "EIO"))],
    "openat": [("", failures(*NO_DESCRIPTORS, "EINTR", "EACCES", "EROFS", "ENOSPC", "EDQUOT", "EIO", "ENXIO"))],
    # Eventfds and signalfds are non-blocking here, so there is no EINTR. EAGAIN on an eventfd means that it is already
    # in the state that the call wants.
    "read": [("EventFd", [Fault("after", "EAGAIN")]),
             ("SignalFd", failures("EAGAIN")),
             ("Pipe", failures("EINTR") + CUTS),
             ("SharedStream", failures("EINTR", "EAGAIN", "EIO") + CUTS),
             ("", failures("EINTR", "EIO") + CUTS)],
    "write": [("EventFd", [Fault("after", "EAGAIN")]),
              ("", failures("EINTR", "EAGAIN", "EPIPE", *DISK) + CUTS + [Fault("part", "ENOSPC")])],
    "fstat": [("", failures("ENOMEM", "EOVERFLOW"))],
    "lstat": [("has_socket", failures("EACCES", "ENOMEM")),  # ENOENT is an answer.
              ("", failures("EACCES", "ENOENT", "ENOMEM"))],
    "fchmod": [("", failures("EIO", "EPERM", "EROFS"))],
    "chmod": [("", failures("EACCES", "EIO", "EPERM", "EROFS"))],
    "lchown": [("", failures("EACCES", "EIO", "EPERM", "EROFS"))],
    # EAGAIN, which is not transient here, says that another process has the lock.
    "flock": [("", failures("EINTR", "ENOLCK"))],
    "memfd_create": [("", failures(*NO_DESCRIPTORS))],
    "fallocate": [("", failures("EINTR", "ENOSPC", "ENOMEM"))],
    "pwrite": [("", failures("EINTR", "ENOSPC", "ENOMEM") + CUTS)],
    "pread": [("", failures("EINTR") + CUTS)],  # A file in memory has no other errors.
    "madvise": [("", NOTHING)],
    "mmap": [("", failures("ENOMEM"))],
    "munmap": [("", NOTHING)],
    "rename": [("", failures("EACCES", "EDQUOT", "EIO", "ENOSPC", "EPERM", "EROFS"))],
    "unlink": [("", failures("EACCES", "EIO", "EPERM", "EROFS"))],
    # has_client polls one descriptor without a timeout: that needs no memory and is not interrupted.
    "poll": [("has_client", NOTHING),
             ("", failures("EINTR", "ENOMEM"))],
    # The descriptor is closed, whatever close(2) returns.
    "close": [("", [Fault("after", code) for code in ("EINTR", "EIO", "ENOSPC")])],
    "getrlimit": [("", NOTHING)],
    "setrlimit": [("", failures("EPERM"))],
    "clock_gettime": [("", NOTHING)],
}

# Files whose calls only echoload makes: they are in a library that echod uses too.
CLIENT_FILES = ("client_socket.cpp", "timer_fd.cpp")
CLIENT_FUNCTIONS = ("send_more",)

# (call, function): calls that not every run makes. They are for standard streams of other kinds, for a manager or a
# stream that takes nothing, for a log in a folder of another user, for bulk in small pieces, and for kernels older than
# Linux 6.3 (memfd_create without MFD_NOEXEC_SEAL). Unit tests cover them.
NOT_ALWAYS_MADE = (("recv", "SharedStream::read"), ("send", "SharedStream::write"), ("write", "SharedStream::write"),
                   ("poll", "wait_ready"), ("fstat", "has_another_name"), ("read", "Pipe::read"),
                   ("lchown", "set_access"), ("memfd_create", "create_memory_file"),
                   ("pread", "MemoryFile::read"),  # Only an upgrade that fails late reads owed bytes back.
                   # No UDP and no UNIX socket is passed.
                   ("ioctl", "adopt_datagram_socket"), ("getsockopt", "datagram_binding_of"),
                   ("getsockname", "bound_path"), ("ioctl", "adopt_local_listener"))

# (call, function, reason): faults, besides transient ones, that are not reported, because they change nothing for
# clients and operators.
SILENT = (
    ("close", "", "the descriptor is closed anyway"),
    ("open", "fill_standard_descriptors", "descriptors that are open stay open"),
    ("epoll_ctl", "Epoll::remove", "closing the descriptor ends its registration"),
    ("setsockopt", "stamp_arrivals", "the server's own delay is not measured"),
    ("setsockopt", "reset_on_close", "the kernel keeps what a peer does not take, and has limits for that"),
    ("getsockopt", "accept_queue", "the figures of the queue are 0"),
    ("sendmmsg", "", "the datagram is dropped and counted"),
    ("getsockopt", "datagram_queue", "the figures of the queue are 0"),
    ("getsockopt", "datagram_receive_buffer", "the size is shown as 0"),
    ("setsockopt", "ask_for_trains", "the kernel hands over single datagrams"),
    ("lstat", "open_descriptors", "the entries of the directory are counted"),
    ("operator new", "BufferPool::reading_block", "the connection is served without a buffer"),
    ("operator new", "PipePool::open_one", "bulk is copied"),
    ("pipe2", "", "bulk is copied"),
    ("fcntl", "Pipe::open", "bulk is copied"),
    ("splice", "splice_in", "recv is used instead"),
    ("accept4", "empty_and_close", "it tries again"),
    ("lstat", "LocalListener::has_path", "the next process replaces the socket that stays"),
    ("getsockopt", "connected_process", "the client of a UNIX socket is shown as process 0"),
    ("setsockopt", "sys::accept(", "an urgent byte on a UNIX socket is not echoed"),
    ("open", "version_of", "a new program is noticed by a requested upgrade"),
    ("fstat", "version_of", "a new program is noticed by a requested upgrade"),
    ("fcntl", "set_close_on_exec", "a check of a later upgrade closes the descriptor"),
    ("poll", "LocalSender", "the message to the manager is sent again in 100 ms"),
    ("operator new", "Service::notify_ready", "READY=1 is sent without a status"),
    ("operator new", "Service::on_workers_checked", "the next status is sent in 2 s"),
    ("openat", "localtime", "times are in UTC"),
    ("prctl", "", "memory may use huge pages, or a thread has the name of the process"),
    ("fstat", "is_journal_stream", "lines on standard error have a time and no priority"),
    ("open", "has_terminal", "SIGHUP is a reload, as without a terminal"),
    ("read", "has_terminal", "SIGHUP is a reload, as without a terminal"),
    ("fstat", "SharedStream", "standard input is read only after poll(2)"),
    ("open", "SharedStream", "standard input is read only after poll(2)"),
    ("recv", "HttpConnection", "the operator sends the request again"),
    ("send", "HttpConnection", "the operator sends the request again"),
    ("shutdown", "HttpConnection", "the answer was sent"),
    ("epoll_ctl", "HttpConnection", "the operator sends the request again"),
    ("operator new", "thread admin", "the operator gets status 503, or sends the request again"),
    ("accept4", "HttpServer", "the operator sends the request again"),
    ("getsockopt", "accept_queue", "the queue of a listener is shown as empty"),
    ("open", "process_usage", "the memory in use is shown as 0"),
    ("read", "process_usage", "the memory in use is shown as 0"),
    ("unlink", "LocalListener::close", "the next process replaces the socket that stays"),
    ("read", "SharedStream", "a line on standard input is read at its next edge"),
)
# (call, function, pattern): faults that the log reports in other words than those of strerror(3).
REPORTED_OTHERWISE = (
    ("setrlimit", "", "limits: .* open files"),
    ("socket", "open_bound", "this host has no IPv6"),
    ("bind", "open_bound", "this host has no IPv6"),
)


def faults_of(call: str, function: str) -> list[Fault]:
    return next(faults for part, faults in TABLE[call] if part in function)


def is_silent(call: str, function: str) -> bool:
    return any(call == silent and part in function for silent, part, _ in SILENT)


def is_reported_otherwise(call: str, function: str, text: str) -> bool:
    return any(call == other and part in function and re.search(pattern, text)
               for other, part, pattern in REPORTED_OTHERWISE)


def is_not_always_made(call: str, function: str) -> bool:
    return any(call == other and part in function for other, part in NOT_ALWAYS_MADE)


def is_client(place: str, function: str) -> bool:
    return place.startswith(CLIENT_FILES) or any(name in function for name in CLIENT_FUNCTIONS)
