//go:build !race

package memorytest

const raceFactor = 1
