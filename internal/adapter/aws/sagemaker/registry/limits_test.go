package registry

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/memorytest"
)

// A document of metrics that grew is not read to its end.
func TestRegistry_LargeDocument(t *testing.T) {
	l := start(t)
	v := registered(t, open(t, l))
	key := l.Keys(bucket, "slipway/"+group+"/metrics/")[0]
	if _, err := l.PutObject(bucket, key, []byte(`{"x": "`+strings.Repeat("x", maxDocument)+`"}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, l).Get(t.Context(), group, v.Version); !fault.Is(err, fault.Corrupt) {
		t.Errorf("error = %v, want %s", err, fault.Corrupt)
	}
}

// A decision whose entries unpack to gigabytes is not unpacked.
func TestDecodeDecisions_TooLarge(t *testing.T) {
	memorytest.Run(t, 64<<20, func() {
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 1<<20)
		for range 256 {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		metadata := map[string]string{decisionKey(1, 1): base64.RawURLEncoding.EncodeToString(packed.Bytes())}
		if _, err := decodeDecisions(metadata); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("error = %v", err)
		}
	})
}

// Decisions of any text are what they were, and their entries are what AWS takes.
func TestDecisions_RoundTrip(t *testing.T) {
	for _, why := range []string{"", "good", "größer \"als\" <b>\n", noise(3000)} {
		metadata := map[string]string{}
		want := delivery.ModelDecision{Status: delivery.Approved, By: delivery.Actor{Issuer: "https://github.com", Subject: "42", Name: "ana"}, Why: why}
		for number := 1; number <= 2; number++ {
			if err := encodeDecision(metadata, number, want); err != nil {
				t.Fatal(err)
			}
		}
		for key, value := range metadata {
			if !isShown(value) || !isShown(key) {
				t.Errorf("AWS does not take %s=%s", key, value)
			}
		}
		got, err := decodeDecisions(metadata)
		if err != nil || len(got) != 2 || got[1].Why != why || got[1].By.Subject != "42" {
			t.Errorf("%+v, error = %v", got, err)
		}
	}
}
