package test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/slipway-cd/slipway/internal/fault"
)

// maxDeclarationBytes is how far into a document its XML declaration may reach.
const maxDeclarationBytes = 1 << 10

var (
	xmlDeclaration = regexp.MustCompile(`^\s*<\?xml\s[^>]*\?>`)
	xmlEncoding    = regexp.MustCompile(`^\s*<\?xml\s[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']`)
	wideEncoding   = regexp.MustCompile(`(?i)^(utf-?(16|32)|ucs-?[24]|iso-10646)`)
)

// decodeXML returns the document as UTF-8 without its declaration, and without the
// characters that XML forbids but reporters write: control characters such as the
// ESC of terminal colors, as themselves or as &#27;. They become U+FFFD, and so do
// bytes that are not in the declared encoding. Lines stay where they are.
func decodeXML(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, maxDeclarationBytes)
	start, err := in.Peek(maxDeclarationBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	enc, err := xmlEncodingOf(start)
	if err != nil {
		return nil, err
	}
	text := bufio.NewReaderSize(transform.NewReader(in, transform.Chain(enc.NewDecoder(), &xmlSanitizer{})), maxDeclarationBytes)
	start, err = text.Peek(maxDeclarationBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	declaration := xmlDeclaration.Find(start)
	if _, err := text.Discard(len(declaration)); err != nil {
		return nil, err
	}
	lines := bytes.Repeat([]byte("\n"), bytes.Count(declaration, []byte("\n")))
	return io.MultiReader(bytes.NewReader(lines), text), nil
}

// xmlEncodingOf is the encoding of a document that starts so: by its byte order
// mark, the zero bytes of UTF-16, or its declaration. A declaration that can be read
// byte by byte is not in UTF-16, whatever it declares: .NET writes such ones.
func xmlEncodingOf(start []byte) (encoding.Encoding, error) {
	switch {
	case bytes.HasPrefix(start, []byte{0xFE, 0xFF}), bytes.HasPrefix(start, []byte{0, '<'}):
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM), nil
	case bytes.HasPrefix(start, []byte{0xFF, 0xFE}), bytes.HasPrefix(start, []byte{'<', 0}):
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	case bytes.HasPrefix(start, []byte{0xEF, 0xBB, 0xBF}):
		return unicode.UTF8BOM, nil
	}
	declared := xmlEncoding.FindSubmatch(start)
	if declared == nil || wideEncoding.Match(declared[1]) {
		return unicode.UTF8, nil
	}
	name := string(declared[1])
	if enc, err := htmlindex.Get(name); err == nil {
		return enc, nil
	}
	if enc, err := ianaindex.IANA.Encoding(name); err == nil && enc != nil {
		return enc, nil
	}
	return nil, fault.New(fault.Unavailable, "the report has the unknown encoding %q", name).Hint("make the command write it in UTF-8")
}

// xmlSanitizer replaces the characters that are not allowed in XML.
type xmlSanitizer struct{ transform.NopResetter }

// maxReferenceBytes is the length of the longest reference that is replaced; longer
// ones, with leading zeros, are left to the parser.
const maxReferenceBytes = 16

// Transform implements transform.Transformer.
func (*xmlSanitizer) Transform(dst, src []byte, atEOF bool) (written, read int, err error) {
	for read < len(src) {
		rest := src[read:]
		if !atEOF && !utf8.FullRune(rest) {
			return written, read, transform.ErrShortSrc
		}
		char, size := utf8.DecodeRune(rest)
		if char == '&' {
			n, partial := illegalReference(rest)
			if partial && !atEOF {
				return written, read, transform.ErrShortSrc
			}
			if n > 0 {
				char, size = utf8.RuneError, n
			}
		}
		if !isXMLChar(char) {
			char = utf8.RuneError
		}
		if written+utf8.RuneLen(char) > len(dst) {
			return written, read, transform.ErrShortDst
		}
		written += utf8.EncodeRune(dst[written:], char)
		read += size
	}
	return written, read, nil
}

// illegalReference returns the length of the reference at the start of text if it
// refers to a character that XML forbids. partial: text ends before the reference
// does.
func illegalReference(text []byte) (n int, partial bool) {
	text = text[:min(len(text), maxReferenceBytes)]
	end := bytes.IndexByte(text, ';')
	if end < 0 {
		return 0, len(text) < maxReferenceBytes
	}
	digits, ok := bytes.CutPrefix(text[:end], []byte("&#"))
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		digits, base = hex, 16
	}
	char, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || isXMLChar(rune(min(char, utf8.MaxRune+1))) {
		return 0, false
	}
	return end + 1, false
}

// isXMLChar reports whether XML 1.0 allows the character.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}
