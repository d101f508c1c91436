package anchore

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"
	"github.com/wagoodman/go-progress"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// How long the source may take.
const (
	checkTime    = 15 * time.Second
	downloadTime = 20 * time.Minute
	tick         = 250 * time.Millisecond // between two lines of progress
)

// Update asks the source whether it has a newer database, and takes it.
func (s *Scanner) Update(ctx context.Context, p port.Progress) (port.ScanData, bool, error) {
	have, err := s.Status(ctx)
	if err != nil && !fault.Is(err, fault.Corrupt) {
		return have, false, err
	}
	client, err := distribution.NewClient(s.source())
	if err != nil {
		return have, false, fmt.Errorf("prepare to ask for a database: %w", err)
	}
	newer, err := s.ask(ctx, client, have)
	if err != nil || newer == nil {
		return have, false, err
	}
	url, err := client.ResolveArchiveURL(*newer)
	if err != nil {
		return have, false, s.silent(err)
	}
	seen := &watched{Client: client}
	stop := seen.report(p)
	err = s.install(ctx, func(c v6.Curator) error { return c.Import(url) }, seen)
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return have, false, err
		}
		return have, false, s.silent(err)
	}
	now, err := s.Status(ctx)
	return now, err == nil, err
}

func (s *Scanner) source() distribution.Config {
	c := distribution.DefaultConfig()
	c.ID, c.RequireUpdateCheck, c.CheckTimeout, c.UpdateTimeout = identity(), true, checkTime, downloadTime
	if s.c.URL != "" {
		c.LatestURL = s.c.URL
	}
	return c
}

// ask looks for a newer database, and notes when it did.
func (s *Scanner) ask(ctx context.Context, client distribution.Client, have port.ScanData) (*distribution.Archive, error) {
	var current *v6.Description
	if !have.Built.IsZero() {
		var err error
		if current, err = v6.ReadDescription(have.Path); err != nil {
			current = nil // damaged: whatever there is is better
		}
	}
	type answer struct {
		archive *distribution.Archive
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		a, err := client.IsUpdateAvailable(current)
		got <- answer{a, err}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("ask for a newer database: %w", context.Cause(ctx))
	case a := <-got:
		if err := put(filepath.Join(s.c.Dir, askedFile), []byte(s.c.Clock().UTC().Format(time.RFC3339)+"\n")); err != nil {
			return nil, err
		}
		if a.err != nil {
			return nil, s.silent(a.err)
		}
		return a.archive, nil
	}
}

func (s *Scanner) silent(err error) error {
	return fault.New(fault.Unavailable, "get a vulnerability database from %s", s.source().LatestURL).Because(err).
		Hint("let this machine reach it (HTTPS_PROXY counts), or bring a file: `slipway scan db import FILE`")
}

// watched tells how far a download is.
type watched struct {
	distribution.Client
	begun chan *progress.Manual
}

// Download downloads, and lets it be watched.
func (w *watched) Download(url, dest string, p *progress.Manual) (string, error) {
	select {
	case w.begun <- p:
	default: // nobody watches
	}
	return w.Client.Download(url, dest, p)
}

// report tells p how far it is, until the returned function is called.
func (w *watched) report(p port.Progress) (stop func()) {
	if p == nil {
		return func() {}
	}
	w.begun = make(chan *progress.Manual, 1)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-done:
		case m := <-w.begun:
			follow(m, p, done)
		}
	}()
	return func() { close(done); <-ended }
}

func follow(m *progress.Manual, p port.Progress, done <-chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case <-t.C:
			p(max(m.Current(), 0), max(m.Size(), 0))
		}
	}
}
