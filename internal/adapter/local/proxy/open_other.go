//go:build !unix

package proxy

func hasNothingToRead(uintptr, []byte) bool { return false }

func isClosed(uintptr) bool { return false }
