package measure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Raw sends the same HTTP/1.1 request over n connections, one after the other on
// each, for a period, and returns the durations. It parses as little as it can: a
// client of its own weight would hide what is measured. Any status but 200 is an
// error.
func Raw(address string, request []byte, n int, period time.Duration) ([]time.Duration, error) {
	took := make([][]time.Duration, n)
	errs := make(chan error, n)
	end := time.Now().Add(period)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if took[i], err = rawClient(address, request, end); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	var all []time.Duration
	for _, part := range took {
		all = append(all, part...)
	}
	return all, <-errs
}

func rawClient(address string, request []byte, end time.Time) (took []time.Duration, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 16<<10)
	for start := time.Now(); start.Before(end); {
		if _, err := c.Write(request); err != nil {
			return took, err
		}
		if err := readOK(in); err != nil {
			return took, err
		}
		now := time.Now()
		took = append(took, now.Sub(start))
		start = now
	}
	return took, nil
}

var contentLength = []byte("content-length:")

// readOK reads a response with status 200 and a Content-Length.
func readOK(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || string(line[9:12]) != "200" {
		return fmt.Errorf("got %q, want status 200", line)
	}
	length := -1
	for {
		line, err = in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case len(line) == 2:
			if length < 0 {
				return fmt.Errorf("response without Content-Length")
			}
			_, err = in.Discard(length)
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		case len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil {
				return err
			}
		}
	}
}
