//go:build linux

package container

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// DefaultUser is the user of a service whose image sets none, or root.
var DefaultUser = User{UID: 65532, GID: 65532}

// ResolveUser looks up the user of an image ("", "1000", "app", "app:staff",
// "1000:1000") in the image's /etc. Root is replaced by DefaultUser, and note
// mentions it.
func ResolveUser(rootfs, name string) (u User, note string, err error) {
	if name == "" {
		return DefaultUser, "", nil
	}
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return User{}, "", fmt.Errorf("open the image root: %w", err)
	}
	defer root.Close()
	user, group, hasGroup := strings.Cut(name, ":")
	if u, err = findUser(root, user); err != nil {
		return User{}, "", err
	}
	if hasGroup {
		if u.GID, err = findGroup(root, group); err != nil {
			return User{}, "", err
		}
	}
	if u.UID == 0 {
		return DefaultUser, fmt.Sprintf("the image sets user %q; it runs as %d instead", name, DefaultUser.UID), nil
	}
	if u.GID == 0 {
		u.GID = DefaultUser.GID
	}
	return u, "", nil
}

func findUser(root *os.Root, name string) (User, error) {
	id, isNumber := parseID(name)
	for _, f := range readEntries(root, "etc/passwd", 4) {
		uid, ok1 := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if ok1 && ok2 && (f[0] == name || isNumber && uid == id) {
			return User{UID: uid, GID: gid}, nil
		}
	}
	if name == "root" {
		return User{}, nil // also if the image has no /etc/passwd
	}
	if isNumber {
		return User{UID: id, GID: id}, nil
	}
	return User{}, fmt.Errorf("user %q not found in /etc/passwd of the image", name)
}

func findGroup(root *os.Root, name string) (int, error) {
	if id, ok := parseID(name); ok {
		return id, nil
	}
	for _, f := range readEntries(root, "etc/group", 3) {
		if gid, ok := parseID(f[2]); ok && f[0] == name {
			return gid, nil
		}
	}
	return 0, fmt.Errorf("group %q not found in /etc/group of the image", name)
}

func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

// readEntries reads a colon-separated file. A missing one is empty.
func readEntries(root *os.Root, path string, atLeast int) [][]string {
	f, err := root.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all [][]string
	lines := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for lines.Scan() {
		if parts := strings.Split(lines.Text(), ":"); len(parts) >= atLeast {
			all = append(all, parts)
		}
	}
	return all
}
