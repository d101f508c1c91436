package registry

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Keys of the customer metadata. They are stored.
const (
	keyDecision = "slipway.decision." // a number follows; parts of it from the second on have another one
	keyCommit   = "slipway.commit"    // for people, as the others up to keyData
	keyRun      = "slipway.run"
	keyData     = "slipway.data"
	keyRelease  = "slipway.release" // that deployed the version last
	keyDigest   = "slipway.digest"  // of an adopted version's files
	keyArchive  = "slipway.archive" // SHA-256 of the archive that they came in
	keyObject   = "slipway.object"  // the version of the archive's object, or its ETag
	keyMetrics  = "slipway.metrics" // SHA-256 of the metrics that were adopted
	keyAdopted  = "slipway.adopted" // when
)

// Limits of the customer metadata. Source: the model's CustomerMetadataMap and
// CustomerMetadataValue.
const (
	maxEntries = 50
	maxValue   = 256
)

// maxDecision bounds a decision that is read, in bytes.
const maxDecision = 64 << 10

// encodeDecision adds the entries of the decision with that number. AWS takes few of the
// characters that a reason may have, and 256 of them for a value.
func encodeDecision(to map[string]string, number int, d delivery.ModelDecision) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write a decision: %w", err)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("write a decision: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(packed.Bytes())
	for part := 1; text != ""; part++ {
		n := min(maxValue, len(text))
		to[decisionKey(number, part)], text = text[:n], text[n:]
	}
	return nil
}

func decisionKey(number, part int) string {
	key := keyDecision + strconv.Itoa(number)
	if part == 1 {
		return key
	}
	return key + "." + strconv.Itoa(part)
}

// decodeDecisions reads the decisions in their order.
func decodeDecisions(metadata map[string]string) (all []delivery.ModelDecision, err error) {
	for number := 1; metadata[decisionKey(number, 1)] != ""; number++ {
		var text strings.Builder
		for part := 1; metadata[decisionKey(number, part)] != ""; part++ {
			text.WriteString(metadata[decisionKey(number, part)])
		}
		packed, err := base64.RawURLEncoding.DecodeString(text.String())
		if err != nil {
			return nil, fmt.Errorf("decision %d: %w", number, err)
		}
		raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxDecision+1))
		if err != nil {
			return nil, fmt.Errorf("decision %d: %w", number, err)
		}
		if len(raw) > maxDecision {
			return nil, fmt.Errorf("decision %d has more than %d bytes", number, maxDecision)
		}
		var d delivery.ModelDecision
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, fmt.Errorf("decision %d: %w", number, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// checkRoom refuses metadata that SageMaker does not keep.
func checkRoom(e entry, added map[string]string) error {
	n := len(e.metadata)
	for key := range added {
		if _, ok := e.metadata[key]; !ok {
			n++
		}
	}
	if n <= maxEntries {
		return nil
	}
	return fault.New(fault.Exhausted, "decide on model %s: SageMaker keeps %d entries of metadata for a version, and this decision would make %d", e.ModelRef, maxEntries, n).
		Hint("give a shorter reason, or register the model again under another group")
}

// tokenOf is a client token: calls with the same parts are one call. Source of its form:
// the model's ClientToken.
func tokenOf(parts ...string) *string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	token := "slw-" + hex.EncodeToString(sum[:16])
	return &token
}
