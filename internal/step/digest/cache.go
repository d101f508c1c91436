package digest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/slipway-cd/slipway/internal/atomicfile"
	"github.com/slipway-cd/slipway/internal/delivery"
)

// minAge is the minimum age of a file's last change for its digest to be cached:
// a change within the clock's resolution would leave no trace.
const minAge = 2 * time.Second

// Cache remembers the digests of files that have not changed since: same path,
// device, inode, size, and times of change to the nanosecond. Safe for
// concurrent use; a nil Cache remembers nothing.
type Cache struct {
	now     func() time.Time
	mu      sync.Mutex
	entries map[string]stamp
	dirty   bool
}

// stamp is a file's metadata when it was read.
type stamp struct {
	Device  uint64          `json:"dev"`
	Inode   uint64          `json:"ino"`
	Size    int64           `json:"size"`
	Mtime   int64           `json:"mtime"` // ns
	Ctime   int64           `json:"ctime"` // ns; no program can set it back
	Content delivery.Digest `json:"content"`
}

// NewCache returns an empty cache. A nil now is the machine's clock.
func NewCache(now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	return &Cache{now: now, entries: map[string]stamp{}}
}

// Load reads what Save wrote. A file that is missing or not readable as a cache
// leaves the cache empty: it only costs time.
func (c *Cache) Load(file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	entries := map[string]stamp{}
	if json.Unmarshal(raw, &entries) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, s := range entries {
		if s.Content.Valid() {
			c.entries[path] = s
		}
	}
	return nil
}

// Save writes the cache, whole or not at all; unchanged, it writes nothing.
func (c *Cache) Save(file string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	raw, err := json.Marshal(c.entries)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := atomicfile.Write(file, raw, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	c.dirty = false
	return nil
}

func (c *Cache) get(path string, info fs.FileInfo) (delivery.Digest, bool) {
	current, ok := stampOf(info)
	if c == nil || !ok {
		return "", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, known := c.entries[path]
	current.Content = cached.Content
	return cached.Content, known && cached == current
}

// put caches d for the open file f, unless it changed while it was read or so
// recently that the next change could leave the same stamp.
func (c *Cache) put(path string, f *os.File, before fs.FileInfo, d delivery.Digest) {
	if c == nil {
		return
	}
	after, err := f.Stat()
	if err != nil {
		return
	}
	was, ok := stampOf(before)
	is, _ := stampOf(after)
	if !ok || was != is || c.now().Sub(time.Unix(0, max(is.Mtime, is.Ctime))) < minAge {
		return
	}
	is.Content = d
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[path], c.dirty = is, true
}
