package objecttest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

// forEach runs the test with a server of each driver.
func forEach(t *testing.T, test func(t *testing.T, server *objecttest.Server)) {
	for _, driver := range objecttest.Drivers() {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, objecttest.Start(t, driver))
		})
	}
}

func openLog(t *testing.T, objects port.ObjectStore) *statelog.Log {
	t.Helper()
	l, err := statelog.Open(t.Context(), objects, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(text string) statelog.Entry {
	raw, _ := json.Marshal(text)
	return statelog.Entry{Schema: 3, Rows: raw}
}

// read returns the entries of the log.
func read(t *testing.T, l *statelog.Log) (texts []string, err error) {
	_, err = l.Read(t.Context(), statelog.Position{}, func(e statelog.Entry, _ statelog.Position) error {
		var text string
		err := json.Unmarshal(e.Rows, &text)
		texts = append(texts, text)
		return err
	})
	return texts, err
}

// TestLog_Unreliable: over a way that loses requests and responses, is slow, and
// responds with conflicts that there are none of, an entry is in the log once, and where
// its writer was told.
func TestLog_Unreliable(t *testing.T) {
	const writers, minEntries, maxEntries = 2, 8, 60 // of each writer
	forEach(t, func(t *testing.T, server *objecttest.Server) {
		calm := openLog(t, server.Open(t, "retail"))
		logs := []*statelog.Log{}
		for range writers {
			logs = append(logs, openLog(t, server.Open(t, "retail")))
		}
		server.Faults.Rotate(1)
		var group sync.WaitGroup
		told := make([]map[int64]string, writers)
		for writer, l := range logs {
			told[writer] = map[int64]string{}
			group.Go(func() {
				at := statelog.Position{}
				for i := 0; i < minEntries || i < maxEntries && !metAll(server); i++ {
					text := fmt.Sprintf("%d of %d", i, writer)
					at = add(t, l, at, text)
					told[writer][at.N] = text
				}
			})
		}
		group.Wait()
		server.Faults.Set(nil)
		got, err := read(t, calm)
		if want := len(told[0]) + len(told[1]); err != nil || len(got) != want {
			t.Fatalf("%d entries (error = %v), want %d", len(got), err, want)
		}
		for _, mine := range told {
			for n, text := range mine {
				if got[n-1] != text {
					t.Errorf("entry %d is %q, want %q as its writer was told", n, got[n-1], text)
				}
			}
		}
		t.Logf("requests by fault: %v", server.Faults.Seen())
		if !metAll(server) {
			t.Errorf("not every fault was met: %v", server.Faults.Seen())
		}
	})
}

// metAll reports whether requests met every fault.
func metAll(server *objecttest.Server) bool {
	seen := server.Faults.Seen()
	return !slices.ContainsFunc(objecttest.WriteFaults(), func(f objecttest.Fault) bool { return seen[f] == 0 })
}

// add appends the text after the newest entry, and returns its position.
func add(t *testing.T, l *statelog.Log, at statelog.Position, text string) statelog.Position {
	for {
		next, err := l.Read(t.Context(), at, func(statelog.Entry, statelog.Position) error { return nil })
		at = next
		if fault.Is(err, fault.Corrupt) || t.Context().Err() != nil {
			t.Errorf("read: %v", err)
			return at
		}
		if err != nil {
			continue // the response was lost
		}
		mine, err := l.Append(t.Context(), at, entry(text))
		if err == nil {
			return mine
		}
		if !errors.Is(err, statelog.ErrTaken) {
			t.Errorf("append: %v", err)
			return at
		}
	}
}

// TestLog_Damaged: an entry that somebody deleted, and one of which a byte was changed,
// are found by whoever reads the log.
func TestLog_Damaged(t *testing.T) {
	forEach(t, func(t *testing.T, server *objecttest.Server) {
		const key = "log/000000000002.json"
		for name, damage := range map[string]func(t *testing.T, s port.ObjectStore) error{
			"deleted": func(t *testing.T, s port.ObjectStore) error { return s.Delete(t.Context(), key) },
			"flipped byte": func(t *testing.T, s port.ObjectStore) error {
				r, _, err := s.Open(t.Context(), key)
				if err != nil {
					return err
				}
				var content bytes.Buffer
				if _, err := content.ReadFrom(r); err != nil {
					return err
				}
				content.Bytes()[bytes.Index(content.Bytes(), []byte("second"))] ^= 1
				return errors.Join(r.Close(), s.Put(t.Context(), key, &content))
			},
			"cut off": func(t *testing.T, s port.ObjectStore) error { return s.Put(t.Context(), key, bytes.NewReader(nil)) },
		} {
			t.Run(name, func(t *testing.T) {
				objects := server.Open(t, name[:3])
				l, at := openLog(t, objects), statelog.Position{}
				for _, text := range []string{"first", "second", "third"} {
					var err error
					if at, err = l.Append(t.Context(), at, entry(text)); err != nil {
						t.Fatal(err)
					}
				}
				if err := damage(t, objects); err != nil {
					t.Fatal(err)
				}
				if texts, err := read(t, openLog(t, objects)); !fault.Is(err, fault.Corrupt) || len(texts) > 2 {
					t.Errorf("read %q (error = %v), want %s", texts, err, fault.Corrupt)
				}
			})
		}
	})
}
