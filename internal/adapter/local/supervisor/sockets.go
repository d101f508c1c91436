//go:build linux

package supervisor

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// socketTables are the files of /proc that list sockets, with the addresses that
// take connections to 127.0.0.1, in either byte order.
var socketTables = map[string][]string{
	"net/tcp": {"0100007F", "7F000001", "00000000"},
	"net/tcp6": {
		"00000000000000000000000000000000",
		"0000000000000000FFFF00000100007F", "00000000000000000000FFFF7F000001",
	},
}

// findListener describes the process that listens on a port: "process 123
// (nginx)". It returns "" if the process cannot be found, for example because it
// belongs to another user.
func findListener(proc string, n int) string { return findHolder(proc, listeners(proc, n)) }

// listeners returns the sockets ("socket:[123]") that take connections to the
// port on 127.0.0.1.
func listeners(proc string, n int) map[string]bool {
	inodes := map[string]bool{}
	for table, addresses := range socketTables {
		f, err := os.Open(filepath.Join(proc, table))
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if inode := listeningInode(strings.Fields(lines.Text()), addresses, n); inode != "" {
				inodes["socket:["+inode+"]"] = true
			}
		}
		f.Close()
	}
	return inodes
}

// listeningInode returns the inode of a socket that listens on the port at one of
// the addresses, or "".
func listeningInode(fields, addresses []string, n int) string {
	if len(fields) < 10 || fields[3] != "0A" {
		return ""
	}
	for _, address := range addresses {
		if fields[1] == fmt.Sprintf("%s:%04X", address, n) {
			return fields[9]
		}
	}
	return ""
}

// findHolder describes a process that holds one of the sockets.
func findHolder(proc string, sockets map[string]bool) string {
	if len(sockets) == 0 {
		return ""
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*")) // the pattern is well-formed
	for _, link := range links {
		to, err := os.Readlink(link)
		if err != nil || !sockets[to] {
			continue
		}
		pid := filepath.Base(filepath.Dir(filepath.Dir(link)))
		comm, _ := os.ReadFile(filepath.Join(proc, pid, "comm")) // it may have exited
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(comm)))
	}
	return ""
}

// socketHolder is a container, which knows its sockets.
type socketHolder interface {
	Sockets() (held map[string]bool, complete bool)
}

// strangerOn describes the process outside of the container that takes
// connections to the port, or returns "". A process that hides its sockets gets
// the benefit of the doubt.
func strangerOn(proc string, n int, b socketHolder) string {
	open := listeners(proc, n)
	held, complete := b.Sockets()
	for socket := range held {
		delete(open, socket)
	}
	if len(open) == 0 {
		return ""
	}
	if who := findHolder(proc, open); who != "" || !complete {
		return who
	}
	return "another process"
}
