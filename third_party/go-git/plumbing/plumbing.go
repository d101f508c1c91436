// Package plumbing has the names of go-git's that syft compiles with.
package plumbing

import "encoding/hex"

// Names of what is in a repository.
type (
	ReferenceName string
	Revision      string
	Hash          [20]byte
)

// NewTagReferenceName returns the name of a tag's reference.
func NewTagReferenceName(tag string) ReferenceName { return ReferenceName("refs/tags/" + tag) }

// NewHash parses a hash; what is not one is zero.
func NewHash(text string) (h Hash) {
	raw, err := hex.DecodeString(text)
	if err == nil && len(raw) == len(h) {
		copy(h[:], raw)
	}
	return h
}

// String returns the hash in hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }
