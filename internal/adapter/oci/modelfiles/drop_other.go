//go:build !unix

package modelfiles

// NonRootID is the user and group that the image names.
const NonRootID = 65532

// DropPrivileges does nothing where there is no root.
func DropPrivileges() error { return nil }
