// Package memory has the name of go-git's that syft compiles with.
package memory

// Storage keeps nothing.
type Storage struct{}

// NewStorage returns a Storage.
func NewStorage() *Storage { return &Storage{} }
