//go:build !unix

package oci

// canUnpack reports whether images and models can be unpacked on this system.
const canUnpack = false

func freeSpace(string) (int64, bool) { return 0, false }
