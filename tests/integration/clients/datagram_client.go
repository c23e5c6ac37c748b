// Sends datagrams to an echo service, one after the other, and checks what comes back.
//
// Usage: datagram_client HOST:PORT DATAGRAMS. Exits with 0 if each datagram came back unchanged.
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"net"
	"os"
	"strconv"
)

const longest = 8000

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail("%v", err)
	}
	connection, err := net.Dial("udp", os.Args[1])
	if err != nil {
		fail("%v", err)
	}
	received := make([]byte, 65536)
	for number := 0; number < count; number++ {
		data := make([]byte, rand.Intn(longest))
		rand.Read(data)
		if _, err := connection.Write(data); err != nil {
			fail("send: %v", err)
		}
		size, err := connection.Read(received)
		if err != nil {
			fail("receive: %v", err)
		}
		if !bytes.Equal(received[:size], data) {
			fail("%d of %d bytes came back, or wrong ones", size, len(data))
		}
	}
	fmt.Printf("ok %d\n", count)
}
