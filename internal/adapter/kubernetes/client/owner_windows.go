package client

// isForeign is not known here.
func isForeign(string) bool { return false }
