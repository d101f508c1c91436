package app

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/filetrust"
)

// cacheVariable names the folder of the caches of all projects.
const cacheVariable = "SLIPWAY_CACHE_DIR"

// projectsName is the folder in it with one for each project.
const projectsName = "projects"

// cacheDir returns the folder of the project's caches. All clones of a repository have
// the same one; no other repository has it, whatever its slipway.yaml says. It is
// short, since sockets lie in it. Without a home it is in the state folder.
func (a *App) cacheDir(w Workspace) string {
	base := a.Variable(cacheVariable)
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return filepath.Join(w.Home, "cache")
		}
		base = filepath.Join(user, "slipway")
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return filepath.Join(w.Home, "cache")
	}
	repository, folder := repositoryOf(w.Repository)
	key := sha256.Sum256([]byte(strings.Join([]string{repository, filepath.ToSlash(folder), string(w.Project)}, "\x00")))
	return filepath.Join(base, projectsName, hex.EncodeToString(key[:8]))
}

// repositoryOf returns what tells a repository from others, and the path of dir in it:
// the address of its origin, which all clones share and no file of theirs can change,
// or else its git directory, which all worktrees share.
func repositoryOf(dir string) (id, folder string) {
	root, common := gitDirs(dir)
	if common == "" {
		return dir, "."
	}
	folder, err := filepath.Rel(root, dir)
	if err != nil {
		return dir, "."
	}
	config, err := os.ReadFile(filepath.Join(common, "config"))
	if err != nil {
		return common, folder
	}
	if origin := originOf(config); origin != "" {
		return normalizeRemote(origin, root), folder
	}
	return common, folder
}

// gitDirs returns the top folder of the work tree that dir is in, and the git
// directory that it shares with other work trees; "" without a repository.
func gitDirs(dir string) (root, common string) {
	for root = dir; ; root = filepath.Dir(root) {
		git := filepath.Join(root, ".git")
		info, err := os.Stat(git)
		switch {
		case err == nil && info.IsDir():
			return root, filetrust.Resolved(git)
		case err == nil:
			return root, linkedGitDir(root, git)
		case root == filepath.Dir(root):
			return "", ""
		}
	}
}

// linkedGitDir follows the file .git of a linked work tree or a submodule.
func linkedGitDir(root, file string) string {
	own := readPath(file, "gitdir:", root)
	if own == "" {
		return ""
	}
	if common := readPath(filepath.Join(own, "commondir"), "", own); common != "" {
		return filetrust.Resolved(common)
	}
	return filetrust.Resolved(own)
}

// readPath reads a path from a file of git's, relative to base.
func readPath(file, prefix, base string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	path, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), prefix)
	if path = strings.TrimSpace(path); !ok || path == "" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return path
}

// originOf returns the URL of the remote origin in a git configuration, as it is there.
func originOf(config []byte) string {
	inOrigin := false
	for lines := bufio.NewScanner(bytes.NewReader(config)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			inOrigin = strings.HasPrefix(line, `[remote "origin"]`)
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if inOrigin && strings.EqualFold(strings.TrimSpace(name), "url") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// normalizeRemote returns the same text for the ways to write an address: with https or
// SSH, with credentials or without. A local path is made absolute.
func normalizeRemote(remote, root string) string {
	trim := func(path string) string { return strings.TrimSuffix(strings.Trim(path, "/"), ".git") }
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		return strings.ToLower(u.Host) + "/" + trim(u.Path)
	}
	path := strings.TrimPrefix(remote, "file://")
	if host, rest, ok := strings.Cut(path, ":"); ok && !strings.Contains(host, "/") { // git@host:path
		return strings.ToLower(host[strings.LastIndex(host, "@")+1:]) + "/" + trim(rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	return filetrust.Resolved(path)
}
