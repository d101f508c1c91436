// Package flock takes the kernel's lock on an open file. The lock goes with the
// file's last holder, also when a process is killed, so nothing is left to clear.
package flock
