package objecttest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/adapter/objecttest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/plan"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/blobs"
	"github.com/slipway-cd/slipway/internal/record/sqlite"
	"github.com/slipway-cd/slipway/internal/record/statelog"
)

const kmsKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// policies returns the S3 policies of the page about rights: to write, to only read, and
// for a key.
func policies(t *testing.T) (write, read, key objecttest.Policy) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/state-rights.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(page), "```json\n")
	if len(parts) != 4 {
		t.Fatalf("the page has %d policies, want 3", len(parts)-1)
	}
	for i, into := range []*objecttest.Policy{&write, &read, &key} {
		text, _, _ := strings.Cut(parts[i+1], "```")
		if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "my-bucket", "state")), into); err != nil {
			t.Fatal(err)
		}
	}
	return write, read, key
}

func run(n string) record.Run {
	id := delivery.RunID("20261124-101502-" + n)
	return record.Run{RunSummary: record.RunSummary{ID: id, Environment: "prod"}, Plan: plan.Plan{Version: plan.Version, Run: id}}
}

// work does what Slipway does with a shared state, from its beginning on.
func work(t *testing.T, objects port.ObjectStore) error {
	log, err := statelog.Open(t.Context(), objects, time.Now())
	if err != nil {
		return err
	}
	s, err := sqlite.OpenView(t.Context(), t.TempDir(), "retail", nil, log, 0)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Runs().Enqueue(t.Context(), run("0001")); err != nil {
		return err
	}
	owned, err := s.Owners().Claim(t.Context(), record.Ownership{Run: run("0001").ID, Holder: "a"})
	if err != nil {
		return err
	}
	if err := s.Owners().Beat(t.Context(), owned.Run, owned.Epoch); err != nil {
		return err
	}
	if _, _, err := s.Owners().SinceBeat(t.Context(), owned.Run, owned.Epoch); err != nil {
		return err
	}
	if err := s.Owners().Release(t.Context(), owned.Run, owned.Epoch); err != nil {
		return err
	}
	return saveFiles(t, &blobs.Store{Objects: objects})
}

// saveFiles saves a large file, and fails to save another one.
func saveFiles(t *testing.T, s *blobs.Store) error {
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, make([]byte, 20<<20), 0o644); err != nil {
		return err
	}
	saved, err := s.Save(t.Context(), path)
	if err != nil {
		return err
	}
	if err := s.Fetch(t.Context(), saved, filepath.Join(t.TempDir(), "model")); err != nil {
		return err
	}
	broken := errors.New("the disk is broken")
	err = s.Objects.Put(t.Context(), "runs/broken.log.gz", io.MultiReader(strings.NewReader(strings.Repeat("x", 20<<20)), iotest.ErrReader(broken)))
	if err != nil && strings.Contains(err.Error(), broken.Error()) {
		return nil
	}
	return err
}

// TestPolicy_S3: with the policy of the page a shared state works; without any one of its
// actions it does not, and says so.
func TestPolicy_S3(t *testing.T) {
	write, _, key := policies(t)
	encrypted := objecttest.Policy{Statement: slices.Concat(write.Statement, key.Statement)}
	for name, c := range map[string]struct {
		policy objecttest.Policy
		keys   []string
		query  string
	}{
		"default encryption": {write, []string{""}, ""},
		"key of their own":   {encrypted, []string{kmsKey}, "&ssetype=aws:kms&kmskeyid=" + kmsKey},
	} {
		t.Run(name, func(t *testing.T) {
			server := objecttest.StartPoliced(t, c.policy)
			if err := work(t, server.OpenWith(t, "retail", c.query)); err != nil || len(server.Denied()) > 0 || server.OpenUploads() > 0 {
				t.Fatalf("error = %v, denied %q, %d uploads left open, want none", err, server.Denied(), server.OpenUploads())
			}
			if diff := cmp.Diff(c.keys, server.Keys()); diff != "" {
				t.Errorf("keys of the objects (-want +got):\n%s", diff)
			}
			for _, action := range c.policy.Actions() {
				t.Run("without "+action, func(t *testing.T) {
					server := objecttest.StartPoliced(t, c.policy.Without(action))
					err := work(t, server.OpenWith(t, "retail", c.query))
					if !slices.Equal(server.Denied(), []string{action}) {
						t.Errorf("denied %q, want %s", server.Denied(), action)
					}
					// An upload that can't be aborted costs, but nothing fails by it.
					if isDenied := fault.Is(err, fault.Denied); isDenied != (action != "s3:AbortMultipartUpload") {
						t.Errorf("error = %v (%s), want %s", err, fault.KindOf(err), fault.Denied)
					}
				})
			}
		})
	}
}

// TestPolicy_S3Reader: the policy to only read is enough for that, and for nothing else.
func TestPolicy_S3Reader(t *testing.T) {
	write, read, _ := policies(t)
	server := objecttest.StartPoliced(t, write)
	if err := work(t, server.Open(t, "retail")); err != nil {
		t.Fatal(err)
	}
	server.SetPolicy(read)
	objects := server.Open(t, "retail")
	log, err := statelog.Find(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.OpenView(t.Context(), t.TempDir(), "retail", nil, log, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Runs().Get(t.Context(), run("0001").ID); err != nil || len(server.Denied()) > 0 {
		t.Errorf("error = %v, denied %q, want none", err, server.Denied())
	}
	if _, err := s.Runs().Enqueue(t.Context(), run("0002")); !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" {
		t.Errorf("change: error = %v, want %s with a hint", err, fault.Denied)
	}
}
