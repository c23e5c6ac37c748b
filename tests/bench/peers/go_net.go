// Echo with Go's net package: a goroutine for each connection, which reads into its own buffer of
// 128 KiB and writes it back. The runtime uses edge-triggered epoll, sets TCP_NODELAY and raises the
// limit of open files by itself. The caller chooses GOMAXPROCS.
// Limits: 128 KiB and a stack for each connection, and their garbage collection; the backlog is
// somaxconn.
package main

import (
	"fmt"
	"net"
	"os"
)

const bufferSize = 128 * 1024

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, bufferSize)
	for {
		size, err := connection.Read(buffer)
		if size > 0 {
			if _, err := connection.Write(buffer[:size]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go_net PORT")
		os.Exit(64)
	}
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", os.Args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue // No descriptors left, or the client has gone.
		}
		go echo(connection)
	}
}
