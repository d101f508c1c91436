package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/port"
)

// minProgressInterval is the minimum time between two lines of progress.
const minProgressInterval = 500 * time.Millisecond

// ScanDatabaseView is what commands about the vulnerability database show.
type ScanDatabaseView struct {
	port.ScanDatabaseInfo
	Age     string `json:"age,omitempty"` // since its data were collected
	Changed bool   `json:"changed"`       // by this command
}

// ScanDatabaseStatus describes the installed database, without network access.
func (a *App) ScanDatabaseStatus(ctx context.Context) (ScanDatabaseView, error) {
	d, err := a.ScanDatabase().Status(ctx)
	return a.scanDatabaseView(d, false), err
}

// UpdateScanDatabase downloads a newer database, if there is one.
func (a *App) UpdateScanDatabase(ctx context.Context) (ScanDatabaseView, error) {
	d, changed, err := a.ScanDatabase().Update(ctx, a.downloadProgress())
	return a.scanDatabaseView(d, changed), err
}

// ImportScanDatabase installs a database from a file, relative to where the command
// was given.
func (a *App) ImportScanDatabase(ctx context.Context, file string) (ScanDatabaseView, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.Dir, file)
	}
	d, err := a.ScanDatabase().Import(ctx, file)
	return a.scanDatabaseView(d, err == nil), err
}

func (a *App) scanDatabaseView(d port.ScanDatabaseInfo, changed bool) ScanDatabaseView {
	v := ScanDatabaseView{ScanDatabaseInfo: d, Changed: changed}
	if !d.BuiltAt.IsZero() {
		v.Age = max(a.Clock().Sub(d.BuiltAt), 0).Round(time.Minute).String()
	}
	return v
}

// downloadProgress reports the progress of a download at intervals.
func (a *App) downloadProgress() port.Progress {
	var last time.Time
	return func(done, total int64) {
		if now := a.Clock(); a.Sink != nil && now.Sub(last) >= minProgressInterval {
			last = now
			text := fmt.Sprintf("%.1f MB", float64(done)/1e6)
			if total > 0 {
				text = fmt.Sprintf("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
			}
			a.Sink.Emit(event.Event{Time: now, Kind: event.Notice, Text: "downloaded " + text})
		}
	}
}
