package flock_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-cd/slipway/internal/flock"
)

func TestOneHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if free, err := flock.Try(first); !free || err != nil {
		t.Fatalf("nobody has it: %v, %v", free, err)
	}
	if free, err := flock.Try(second); free || err != nil {
		t.Fatalf("it is taken: %v, %v", free, err)
	}
	waited := make(chan error)
	go func() { waited <- flock.Wait(second) }()
	first.Close()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	if free, err := flock.Try(open()); free || err != nil {
		t.Errorf("who waited has it now: %v, %v", free, err)
	}
	if _, err := flock.Try(first); err == nil {
		t.Error("a closed file was locked")
	}
}
