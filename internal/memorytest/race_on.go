//go:build race

package memorytest

// raceFactor is what the race detector adds to the memory of a program, at most.
const raceFactor = 10
