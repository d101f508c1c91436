// Package storage has the name of go-git's that syft compiles with.
package storage

// Storer would keep a repository.
type Storer any
