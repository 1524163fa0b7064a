package kube

import (
	"context"
	"io"
	"net"
)

// Stream runs a command in a container and gives what it reads and writes as a
// connection. The command lives until the connection is closed or ctx ends, and an
// error of it is that of the next read.
func (c *Client) Stream(ctx context.Context, e Exec) net.Conn {
	ctx, cancel := context.WithCancel(ctx)
	here, there := net.Pipe()
	in, feed := io.Pipe()
	out, drain := io.Pipe()
	e.Stdin, e.Stdout = in, drain
	go func() { // ends when either side of the connection does
		_, err := io.Copy(feed, there)
		_ = feed.CloseWithError(err)
	}()
	go func() {
		_, _ = io.Copy(there, out)
		_ = there.Close()
	}()
	go func() {
		err := c.Exec(ctx, e)
		if err == nil {
			err = io.EOF
		}
		_ = drain.CloseWithError(err)
		_ = in.CloseWithError(err)
		_ = there.Close()
	}()
	return &stream{Conn: here, end: cancel}
}

// A stream is a connection to a command that ends with it.
type stream struct {
	net.Conn
	end context.CancelFunc
}

func (s *stream) Close() error {
	s.end()
	return s.Conn.Close()
}
