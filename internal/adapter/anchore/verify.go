package anchore

import (
	"os"
	"sync"

	"github.com/anchore/grype/grype/db/v6/installation"
	"github.com/anchore/grype/grype/vulnerability"
)

// verifiedDatabase remembers the database that was last found whole: its file has a gigabyte
// or more, and is read to the end for that. Safe for concurrent use.
type verifiedDatabase struct {
	mu     sync.Mutex
	info   os.FileInfo
	status vulnerability.ProviderStatus
}

// check describes the database below root, and holds it against its checksum
// unless it did so before and the file is the same.
func (s *verifiedDatabase) check(root string) vulnerability.ProviderStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := installation.Config{DBRootDir: root, ValidateChecksum: true}
	now, err := os.Stat(config.DBFilePath())
	if err == nil && s.info != nil && s.status.Path == config.DBFilePath() && os.SameFile(s.info, now) &&
		s.info.Size() == now.Size() && s.info.ModTime().Equal(now.ModTime()) {
		return s.status
	}
	s.info = nil
	c, err := installation.NewCurator(config, nil)
	if err != nil {
		return vulnerability.ProviderStatus{Error: err}
	}
	status := c.Status()
	if status.Error == nil {
		s.info, s.status = now, status
	}
	return status
}
