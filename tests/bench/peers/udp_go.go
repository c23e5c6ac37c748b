// UDP echo with Go's net package: one goroutine, which reads a datagram into its buffer and writes
// it back. The runtime uses edge-triggered epoll.
package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
)

const bufferSize = 64 * 1024
const receiveBuffer = 1024 * 1024 // As much as echod asks for.

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: udp_go ADDRESS PORT")
		os.Exit(64)
	}
	address, err := netip.ParseAddrPort(net.JoinHostPort(os.Args[1], os.Args[2]))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(address))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	socket.SetReadBuffer(receiveBuffer)
	buffer := make([]byte, bufferSize)
	for {
		size, source, err := socket.ReadFromUDPAddrPort(buffer)
		if err == nil {
			socket.WriteToUDPAddrPort(buffer[:size], source)
		}
	}
}
