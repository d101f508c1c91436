package anchore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/distribution"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// How long the source may take.
const (
	checkTimeout    = 15 * time.Second
	downloadTimeout = 20 * time.Minute
)

const (
	progressInterval = 250 * time.Millisecond // between two lines of progress
	maxDownloadBytes = 8 << 30                // no archive of a database comes near
)

var errChecksum = errors.New("unexpected content")

// download writes the archive at the address to a file beside the databases, and
// holds it against its checksum. The caller removes the file.
func (s *Scanner) download(ctx context.Context, at string, a *distribution.Archive, p port.Progress) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	file, err := os.CreateTemp(s.c.Dir, ".incoming-*-"+path.Base(a.Path))
	if err != nil {
		return "", writeError(s.c.Dir, err)
	}
	err = s.fetch(ctx, file, at, a.Checksum, p)
	if err = errors.Join(err, file.Close()); err == nil {
		return file.Name(), nil
	}
	_ = os.Remove(file.Name()) // the next download sweeps
	if disk := new(fs.PathError); errors.As(err, &disk) && ctx.Err() == nil {
		return "", writeError(file.Name(), disk.Err)
	}
	return "", s.sourceError(ctx, err)
}

func (s *Scanner) fetch(ctx context.Context, to io.Writer, at, sum string, p port.Progress) error {
	want, isSHA := strings.CutPrefix(sum, "sha256:")
	if !isSHA {
		return fmt.Errorf("the source lists no SHA-256 for its database (%q)", sum)
	}
	resp, err := s.get(ctx, at)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ContentLength > maxDownloadBytes {
		return fmt.Errorf("download: the archive has %d bytes, more than %d", resp.ContentLength, int64(maxDownloadBytes))
	}
	hash := sha256.New()
	told := &progressWriter{p: p, total: max(resp.ContentLength, 0)}
	if _, err := io.Copy(io.MultiWriter(to, hash, told), http.MaxBytesReader(nil, resp.Body, maxDownloadBytes)); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return fmt.Errorf("%w: the SHA-256 is %s, but the source lists %s", errChecksum, got, want)
	}
	return nil
}

// get asks for what is at the address. The caller closes the body.
func (s *Scanner) get(ctx context.Context, at string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	id := clientID()
	req.Header.Set("User-Agent", id.Name+" "+id.Version)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if told := new(url.Error); errors.As(err, &told) {
			err = told.Err // the address stands in what is said around it
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the server returned %s", resp.Status)
	}
	return resp, nil
}

// progressWriter reports to p every now and then how far a download is.
type progressWriter struct {
	p           port.Progress
	done, total int64 // bytes
	next        time.Time
}

func (t *progressWriter) Write(b []byte) (int, error) {
	t.done += int64(len(b))
	if now := time.Now(); t.p != nil && now.After(t.next) {
		t.next = now.Add(progressInterval)
		t.p(t.done, t.total)
	}
	return len(b), nil
}

// listingURL is the address of the file that names the newest database: the one
// that is set, or where grype's have it below the folder that is set.
func (s *Scanner) listingURL() string {
	at := s.c.URL
	if at == "" {
		at = distribution.DefaultConfig().LatestURL
	}
	if strings.HasSuffix(at, ".json") {
		return at
	}
	return fmt.Sprintf("%s/v%d/%s", strings.TrimRight(at, "/"), v6.ModelVersion, distribution.LatestFileName)
}

// sourceError is the error of a source that gave no database. A caller that has
// stopped is told so, not that the source is silent.
func (s *Scanner) sourceError(ctx context.Context, err error) error {
	if ctx.Err() == context.Canceled {
		return fmt.Errorf("download a vulnerability database: %w", context.Cause(ctx))
	}
	at := s.listingURL()
	if u, bad := url.Parse(at); bad == nil {
		at = u.Redacted()
	}
	e := fault.New(fault.Unavailable, "download a vulnerability database from %s", at).Cause(err)
	if errors.Is(err, errChecksum) {
		return e.Hint("try again; if it happens again, a proxy or mirror may be serving an old or a modified file")
	}
	return e.Hint("check that this machine can reach it (HTTPS_PROXY is respected), or import a file: `slipway scan db import FILE`")
}
