package wire

import "bytes"

// Verdict is what a head is.
type Verdict int

// Verdicts.
const (
	Incomplete Verdict = iota // more bytes are needed
	Rare                      // not plain
	Plain
)

var (
	crlf  = []byte("\r\n")
	space = []byte(" ")
)

// cutLine returns the line at the start of in, without its end, and what follows.
// A line that does not end with CR LF is Rare.
func cutLine(in []byte) (line, rest []byte, verdict Verdict) {
	i := bytes.IndexByte(in, '\n')
	switch {
	case i < 0:
		return nil, nil, Incomplete
	case i == 0 || in[i-1] != '\r':
		return nil, nil, Rare
	}
	return in[:i-1], in[i+1:], Plain
}

// cutField returns name and value of a header line that is neither continued nor
// contains what parsers disagree about.
func cutField(line []byte) (name, value []byte, ok bool) {
	i := 0
	for i < len(line) && classes[line[i]]&tokenByte != 0 {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return nil, nil, false
	}
	name, value = line[:i], line[i+1:]
	for _, c := range value {
		if classes[c]&valueByte == 0 {
			return nil, nil, false
		}
	}
	return name, bytes.Trim(value, " \t"), true
}

// is reports whether name equals want, which is a constant of ASCII, without regard
// to case.
func is(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i := range name {
		if lower(name[i]) != lower(want[i]) {
			return false
		}
	}
	return true
}

// looksLike is is for a header that services trust: many, such as those of WSGI, take an
// underscore in a name for a hyphen.
func looksLike(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		if c == '_' {
			c = '-'
		}
		if lower(c) != lower(want[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// maxLengthDigits keeps lengths far from overflow.
const maxLengthDigits = 15

// parseLength takes the only form of a number: zeros in front may mean an octal one.
func parseLength(value []byte) (n int64, ok bool) {
	if len(value) == 0 || len(value) > maxLengthDigits || len(value) > 1 && value[0] == '0' {
		return 0, false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func isPlainHost(host []byte) bool {
	for _, c := range host {
		if classes[c]&hostByte == 0 {
			return false
		}
	}
	return len(host) > 0
}

// isPlainTarget reports whether a target is a path, and a query or none, of
// characters that need no escape, with complete escapes.
func isPlainTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	for i := 0; i < len(target); i++ {
		switch c := target[i]; {
		case c == '%':
			if i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2]) {
				return false
			}
			i += 2
		case classes[c]&targetByte == 0:
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Classes of bytes.
const (
	tokenByte  = 1 << iota // of a name
	valueByte              // of a value
	hostByte               // of a host and its port
	targetByte             // of a path and a query
)

// classes are the classes of each byte.
var classes = func() (all [256]byte) {
	const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	add := func(bytes string, class byte) {
		for i := range len(bytes) {
			all[bytes[i]] |= class
		}
	}
	add(alphanumeric, tokenByte|hostByte|targetByte)
	add("!#$%&'*+-.^_`|~", tokenByte)
	add("-._:[]", hostByte)
	add("-._~!$&'()*+,=:@/?", targetByte)
	for c := range all {
		if c == '\t' || c >= ' ' && c != 0x7f {
			all[c] |= valueByte
		}
	}
	return all
}()
