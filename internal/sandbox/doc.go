// Package sandbox takes from a process what it has no need of: system calls, keys,
// capabilities. Containers of services and boxes of commands are made with it.
package sandbox
