package wire

import "errors"

// Body finds the end of a body in the bytes that are passed on.
type Body struct {
	left    int64 // of the body, or of its current chunk
	chunked bool
	state   chunkState
	digits  int // of the current size
	extra   int // bytes of extensions and trailers
	empty   bool
}

type chunkState byte

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeEnd // LF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerLine // its first byte
	trailerName
	trailerValue
	trailerLF
	bodyEnd
)

const (
	maxSizeDigits = 15
	maxExtra      = 16 << 10 // of extensions and trailers
)

var errChunk = errors.New("malformed chunked encoding")

// IsChunked reports whether the body consists of chunks.
func (b *Body) IsChunked() bool { return b.chunked }

// Next returns how many of the next bytes belong to the body, and whether it ends
// with them.
func (b *Body) Next(in []byte) (n int, end bool, err error) {
	if !b.chunked {
		n = int(min(b.left, int64(len(in))))
		b.left -= int64(n)
		return n, b.left == 0, nil
	}
	for n < len(in) && b.state != bodyEnd {
		if b.state == chunkData {
			data := min(b.left, int64(len(in)-n))
			n += int(data)
			if b.left -= data; b.left == 0 {
				b.state = chunkDataCR
			}
			continue
		}
		if err := b.step(in[n]); err != nil {
			return n, false, err
		}
		n++
	}
	return n, b.state == bodyEnd, nil
}

// step reads one byte that is not data.
func (b *Body) step(c byte) error {
	switch b.state {
	case chunkSize, chunkExtension:
		return b.stepSize(c)
	case chunkSizeEnd:
		if c != '\n' {
			return errChunk
		}
		b.state = chunkData
		if b.left == 0 {
			b.state, b.empty = trailerLine, true
		}
		b.digits = 0
	case chunkDataCR:
		if c != '\r' {
			return errChunk
		}
		b.state = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return errChunk
		}
		b.state = chunkSize
	default:
		return b.stepTrailer(c)
	}
	return nil
}

func (b *Body) stepSize(c byte) error {
	switch {
	case c == '\r' && b.digits > 0:
		b.state = chunkSizeEnd
	case b.state == chunkExtension:
		return b.stepExtra(c)
	case c == ';' && b.digits > 0:
		b.state = chunkExtension
	case isHex(c) && b.digits < maxSizeDigits:
		b.digits++
		b.left = b.left<<4 | int64(hexValue(c))
	default:
		return errChunk
	}
	return nil
}

func (b *Body) stepExtra(c byte) error {
	if b.extra++; b.extra > maxExtra || classes[c]&valueByte == 0 {
		return errChunk
	}
	return nil
}

// stepTrailer reads the lines after the last chunk, until an empty one.
func (b *Body) stepTrailer(c byte) error {
	switch {
	case b.state == trailerLF && c == '\n':
		b.state = trailerLine
		if b.empty {
			b.state = bodyEnd
		}
		b.empty = true
		return nil
	case c == '\r' && (b.state == trailerValue || b.state == trailerLine && b.empty):
		b.state = trailerLF
		return nil
	case c == ':' && b.state == trailerName:
		b.state = trailerValue
	case b.state == trailerLine && classes[c]&tokenByte != 0:
		b.state, b.empty = trailerName, false
	case b.state == trailerName && classes[c]&tokenByte == 0, b.state == trailerLine, b.state == trailerLF:
		return errChunk
	}
	return b.stepExtra(c)
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
