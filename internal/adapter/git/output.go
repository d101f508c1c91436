package git

import (
	"bytes"
	"errors"
)

// Limits of what git prints, in bytes: lists of files and small files, and why it failed.
const (
	maxOutput = 256 << 20
	maxErrors = 64 << 10
)

var errOutputFull = errors.New("too much output")

// limitedBuffer keeps what is written until its limit. Writing more is an error, which
// ends the program that writes, or is left out. The buffer is no part of its methods: with
// its ReadFrom, there would be no limit.
type limitedBuffer struct {
	text    bytes.Buffer
	max     int
	leaving bool // the rest is left out
	full    bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	kept := p[:min(len(p), b.max-b.text.Len())]
	_, _ = b.text.Write(kept)
	if len(kept) == len(p) || b.leaving {
		return len(p), nil
	}
	b.full = true
	return len(kept), errOutputFull
}

func (b *limitedBuffer) String() string { return b.text.String() }
