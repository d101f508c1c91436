package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/wait"
)

// How often what a run prints is saved for other machines: soon after an event, such as
// the end of a step, and otherwise from time to time.
const (
	publishEventsInterval = 5 * time.Second
	publishInterval       = 30 * time.Second
	// lastPublishTimeout is how long the end of a run waits for it.
	lastPublishTimeout = 10 * time.Second
	// maxPublished is how many bytes of a log other machines can read.
	maxPublished = 16 << 20
)

// publisher saves the events and logs of one owner of a run. It lags, and its errors
// count for nothing: what must not be lost is in the records.
type publisher struct {
	files  record.RunFiles
	home   string
	run    delivery.RunID
	epoch  int64
	begins map[string]int64 // how much of a file earlier owners on this machine wrote
	saved  map[string]int64 // how long a file was when it was saved last
}

// newPublisher notes what is there already, and that this owner's files are here.
func newPublisher(files record.RunFiles, home string, claim record.Ownership) *publisher {
	p := &publisher{files: files, home: home, run: claim.Run, epoch: claim.Epoch, saved: map[string]int64{}}
	p.begins = p.sizes()
	noteEpoch(home, claim.Run, claim.Epoch)
	return p
}

// sizes returns the lengths of the files by name.
func (p *publisher) sizes() map[string]int64 {
	sizes := map[string]int64{}
	logs, _ := filepath.Glob(LogPath(p.home, p.run, "*")) // the pattern is valid: IDs have no special characters
	for _, path := range append(logs, EventsPath(p.home, p.run)) {
		if info, err := os.Stat(path); err == nil {
			sizes[filepath.Base(path)] = info.Size()
		}
	}
	return sizes
}

// path returns where the file of that name is.
func (p *publisher) path(name string) string {
	if events := EventsPath(p.home, p.run); name == filepath.Base(events) {
		return events
	}
	return LogPath(p.home, p.run, strings.TrimSuffix(name, ".log"))
}

// loop publishes until ctx ends, and then once more.
func (p *publisher) loop(ctx context.Context) {
	events := filepath.Base(EventsPath(p.home, p.run))
	for last := time.Now(); wait.Sleep(ctx, publishEventsInterval) == nil; {
		if p.sizes()[events] != p.saved[events] || time.Since(last) >= publishInterval {
			last = time.Now()
			p.publish(ctx)
		}
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), lastPublishTimeout)
	defer done()
	p.publish(ctx)
}

// publish saves the files that have grown.
func (p *publisher) publish(ctx context.Context) {
	for name, size := range p.sizes() {
		if size == p.begins[name] || size == p.saved[name] {
			continue
		}
		if p.save(ctx, name, size) == nil {
			p.saved[name] = size
		}
	}
}

func (p *publisher) save(ctx context.Context, name string, size int64) error {
	f, err := os.Open(p.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	begin := p.begins[name]
	var content io.Reader = io.NewSectionReader(f, begin, min(size-begin, maxPublished))
	if size-begin > maxPublished {
		content = io.MultiReader(content, strings.NewReader("\n... the rest is only on the machine of this run\n"))
	}
	return p.files.Save(ctx, record.RunFile{Run: p.run, Epoch: p.epoch, Name: name}, content)
}

// epochsPath lists the claims on a run whose owners wrote its files on this machine.
func epochsPath(home string, run delivery.RunID) string {
	return filepath.Join(RunDir(home, run), "epochs")
}

func noteEpoch(home string, run delivery.RunID, epoch int64) {
	path := epochsPath(home, run)
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	if f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err == nil {
		_, err = f.WriteString(strconv.FormatInt(epoch, 10) + "\n")
		_ = errors.Join(err, f.Close()) // then its events are shown twice
	}
}

// LocalEpochs returns the claims on a run whose owners wrote its files on this machine,
// ascending.
func LocalEpochs(home string, run delivery.RunID) []int64 {
	raw, err := os.ReadFile(epochsPath(home, run))
	if err != nil {
		return nil
	}
	var epochs []int64
	for line := range strings.Lines(string(raw)) {
		if n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil {
			epochs = append(epochs, n)
		}
	}
	slices.Sort(epochs)
	return epochs
}
