// Package object has the names of go-git's that syft compiles with. There are no objects:
// everything refuses.
package object

import "errors"

var errLeftOut = errors.New("repositories of git are left out of this program")

// What a repository would hold.
type (
	Commit struct{}
	Tree   struct{}
	File   struct{}
)

// Tree refuses.
func (*Commit) Tree() (*Tree, error) { return nil, errLeftOut }

// File refuses.
func (*Tree) File(string) (*File, error) { return nil, errLeftOut }

// Contents refuses.
func (*File) Contents() (string, error) { return "", errLeftOut }
