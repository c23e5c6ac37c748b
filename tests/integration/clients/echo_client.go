// Sends bytes to an echo service, half-closes, and checks what comes back.
//
// Usage: echo_client HOST:PORT BYTES. Exits with 0 if all bytes came back, and then the end of the stream.
package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"strconv"
)

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func main() {
	count, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail("%v", err)
	}
	data := make([]byte, count)
	rand.Read(data)
	connection, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		fail("%v", err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := connection.Write(data)
		if err == nil {
			err = connection.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	received, err := io.ReadAll(connection)
	if err != nil {
		fail("receive: %v", err)
	}
	if err := <-sent; err != nil {
		fail("send: %v", err)
	}
	if !bytes.Equal(received, data) {
		fail("%d of %d bytes came back, or wrong ones", len(received), len(data))
	}
	fmt.Printf("ok %d\n", len(received))
}
