package anchore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/anchore/grype/grype/distro"
	"github.com/anchore/grype/grype/vulnerability"
	"github.com/spf13/afero"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// What is in the database's folder: a file that names the folder which counts,
// that folder, and the time when the source was last asked. A new database is
// filled beside the old one, and then named: readers see one or the other.
const (
	currentFile  = "current"
	checkedFile  = "asked"
	dirPattern   = `^db-[0-9a-z-]+$`
	abandonedAge = 24 * time.Hour // an older unfinished folder is abandoned
)

const downloadHint = "download one with `slipway scan db update`; without network, use `slipway scan db import FILE` with one that was downloaded elsewhere"

// database is one that is open.
type database struct {
	path     string
	built    time.Time
	reader   v6.Reader
	provider vulnerability.Provider
}

func (d *database) close() { _ = d.provider.Close() }

// covers reports whether there is data for the distribution.
func (d *database) covers(of *distro.Distro) bool {
	found, err := d.reader.GetOperatingSystems(osSpecifier(of.Name(), of.MajorVersion(), of.MinorVersion(), of.RemainingVersion(), of.LabelVersion()))
	return err == nil && len(found) > 0
}

// openDatabase opens the database that counts.
func (s *Scanner) openDatabase() (d *database, err error) {
	if err := s.checkDir(); err != nil {
		return nil, err
	}
	found, err := s.readCurrent(func(root string) (err error) {
		d, err = s.openDatabaseAt(root)
		return err
	})
	switch {
	case !found:
		return nil, fault.New(fault.Unavailable, "no vulnerability database found").Hint(downloadHint)
	case err != nil:
		return nil, fault.New(fault.Unavailable, "open the vulnerability database").Cause(err).Hint(downloadHint)
	}
	return d, nil
}

// readCurrent reads the folder that counts, if there is one. One that is replaced
// meanwhile, and so removed, is no damage: the next one is read.
func (s *Scanner) readCurrent(read func(root string) error) (found bool, err error) {
	for root, ok := s.currentDir(); ok; {
		err := read(root)
		now, still := s.currentDir()
		if err == nil || now == root {
			return true, err
		}
		root, ok = now, still
	}
	return false, nil
}

func (s *Scanner) openDatabaseAt(root string) (*database, error) {
	status := s.verified.check(root)
	if status.Error != nil {
		return nil, status.Error
	}
	reader, err := v6.NewReader(v6.Config{DBDirPath: filepath.Dir(status.Path)})
	if err != nil {
		return nil, err
	}
	return &database{path: status.Path, built: status.Built.UTC(), reader: reader, provider: v6.NewVulnerabilityProvider(reader)}, nil
}

// currentDir is the folder that counts.
func (s *Scanner) currentDir() (string, bool) {
	if s.checkDir() != nil {
		return "", false
	}
	raw, err := os.ReadFile(filepath.Join(s.c.Dir, currentFile))
	name := strings.TrimSpace(string(raw))
	if err != nil || !regexp.MustCompile(dirPattern).MatchString(name) {
		return "", false
	}
	return filepath.Join(s.c.Dir, name), true
}

// Status describes the database, without asking anybody.
func (s *Scanner) Status(context.Context) (port.ScanDatabaseInfo, error) {
	d := port.ScanDatabaseInfo{Scanner: "grype", Path: s.c.Dir, CheckedAt: s.lastChecked()}
	if err := s.checkDir(); err != nil {
		return d, err
	}
	var status vulnerability.ProviderStatus
	found, err := s.readCurrent(func(root string) error {
		if status = s.verified.check(root); status.Error != nil {
			return fault.New(fault.Corrupt, "read the vulnerability database in %s", root).Cause(status.Error).Hint(downloadHint)
		}
		return nil
	})
	if !found || err != nil {
		return d, err
	}
	d.Path, d.Schema, d.BuiltAt, d.Source = status.Path, status.SchemaVersion, status.Built.UTC(), status.From
	if info, err := os.Stat(status.Path); err == nil {
		d.Bytes = info.Size()
	}
	return d, nil
}

// Import takes a database from a file: an archive as it is published, or the
// bare database.
func (s *Scanner) Import(ctx context.Context, file string) (port.ScanDatabaseInfo, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return port.ScanDatabaseInfo{}, fmt.Errorf("find %s: %w", file, err)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		if err == nil {
			err = errors.New("not a regular file")
		}
		return port.ScanDatabaseInfo{}, fault.New(fault.NotFound, "import %s", file).Cause(err).Hint("pass the file of a database, such as vulnerability-db_v6....tar.zst")
	}
	err = s.install(ctx, path, "")
	if err == nil {
		return s.Status(ctx)
	}
	if ctx.Err() != nil || errors.Is(err, fs.ErrPermission) || fault.Is(err, fault.Unavailable) {
		return port.ScanDatabaseInfo{}, err
	}
	return port.ScanDatabaseInfo{}, fault.New(fault.Invalid, "import %s", file).Cause(err).
		Hint("want a grype database of schema v%d, as an archive or as vulnerability.db", v6.ModelVersion)
}

// install takes a database from a file into a new folder, and makes that the one
// that counts. from is where the file came from; "": a person brought it.
func (s *Scanner) install(ctx context.Context, file, from string) error {
	if err := s.makeDir(); err != nil {
		return err
	}
	s.removeAbandoned()
	root, err := os.MkdirTemp(s.c.Dir, ".incoming-")
	if err != nil {
		return writeError(s.c.Dir, err)
	}
	config := installation.Config{DBRootDir: root, ValidateChecksum: true}
	c, err := installation.NewCurator(config, nil)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- c.Import(file) }()
	select {
	case err = <-done:
	case <-ctx.Done(): // the library knows no context: what it still does goes into a folder that is never read
		return fmt.Errorf("fill the vulnerability database: %w", context.Cause(ctx))
	}
	if err == nil && from != "" {
		err = setSource(config.DBDirectoryPath(), from)
	}
	var status vulnerability.ProviderStatus
	if err == nil { // it reads the whole database
		status = c.Status()
		err = status.Error
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(root))
	}
	return s.activate(root, status.Built)
}

// setSource notes where the database in dir came from.
func setSource(dir, from string) error {
	m, err := v6.ReadImportMetadata(afero.NewOsFs(), dir)
	if err != nil {
		return err
	}
	m.Source = from
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, v6.ImportMetadataFileName), raw)
}

// activate names the folder as the one that counts, and removes the one before.
func (s *Scanner) activate(root string, built time.Time) error {
	before, had := s.currentDir()
	suffix := strings.ToLower(strings.TrimPrefix(filepath.Base(root), ".incoming-"))
	name := fmt.Sprintf("db-%s-%s", built.UTC().Format("20060102t150405"), suffix)
	if err := os.Rename(root, filepath.Join(s.c.Dir, name)); err != nil {
		return writeError(s.c.Dir, err)
	}
	if err := writeFile(filepath.Join(s.c.Dir, currentFile), []byte(name+"\n")); err != nil {
		return err
	}
	if had {
		return os.RemoveAll(before)
	}
	return nil
}

// removeAbandoned removes what downloads that were cut off left.
func (s *Scanner) removeAbandoned() {
	old, _ := filepath.Glob(filepath.Join(s.c.Dir, ".incoming-*")) // the pattern is a constant
	for _, dir := range old {
		if info, err := os.Stat(dir); err == nil && s.c.Now().Sub(info.ModTime()) > abandonedAge {
			_ = os.RemoveAll(dir) // the next one tries again
		}
	}
}

func (s *Scanner) lastChecked() time.Time {
	raw, err := os.ReadFile(filepath.Join(s.c.Dir, checkedFile))
	if err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(string(raw)))
	if err != nil {
		return time.Time{}
	}
	return t
}

// osSpecifier is a distribution as the database has it.
func osSpecifier(name, major, minor, rest, label string) v6.OSSpecifier {
	return v6.OSSpecifier{Name: name, MajorVersion: major, MinorVersion: minor, RemainingVersion: rest, LabelVersion: label}
}
