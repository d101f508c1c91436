//go:build !linux && !darwin

package filetrust

// Identity is not known here.
func Identity(string) (id string, known bool) { return "", false }
