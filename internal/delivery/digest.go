package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// algorithm is the prefix of every digest.
const algorithm = "sha256:"

// Digest names content: "sha256:" and 64 lower-case hexadecimal digits.
type Digest string

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// DigestOf returns the digest of content.
func DigestOf(content []byte) Digest {
	sum := sha256.Sum256(content)
	return digestFromSum(sum[:])
}

// DigestReader returns the digest and the length of what r holds up to its end.
func DigestReader(r io.Reader) (Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return "", n, err
	}
	return DigestFromHash(h), n, nil
}

// DigestFromHash returns the digest of what was written to h, which is a SHA-256.
func DigestFromHash(h hash.Hash) Digest { return digestFromSum(h.Sum(nil)) }

// DigestFromHex returns the digest with these hexadecimal digits, such as those of a
// file's name. They are not checked: see Valid.
func DigestFromHex(digits string) Digest { return Digest(algorithm + digits) }

func digestFromSum(sum []byte) Digest { return DigestFromHex(hex.EncodeToString(sum)) }

// FolderDigest returns the digest of a folder, by the names of its files, with slashes and
// relative to it, and by their digests. Times, owners and modes do not matter. It is how
// the artifact of a model is named.
func FolderDigest(files map[string]Digest) Digest {
	h := sha256.New()
	fmt.Fprintf(h, "folder %d\n", len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "file %q %s\n", name, files[name]) // quoted, so that no name can pass for two lines
	}
	return DigestFromHash(h)
}

// Valid reports whether d has the form of a digest.
func (d Digest) Valid() bool { return digestPattern.MatchString(string(d)) }

// Short returns the first 12 hexadecimal digits, for people.
func (d Digest) Short() string {
	if !d.Valid() {
		return string(d)
	}
	return string(d[len(algorithm):][:12])
}

// Hex returns the digest without its algorithm.
func (d Digest) Hex() string {
	if !d.Valid() {
		return string(d)
	}
	return string(d[len(algorithm):])
}

// DigestsIn returns every digest that the text names.
func DigestsIn(text string) iter.Seq[Digest] {
	return func(yield func(Digest) bool) {
		const digits = 2 * sha256.Size
		for {
			i := strings.Index(text, algorithm)
			if i < 0 {
				return
			}
			text = text[i+len(algorithm):]
			if d := DigestFromHex(text[:min(digits, len(text))]); d.Valid() && !yield(d) {
				return
			}
		}
	}
}
