package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
)

// maxJobNameLength is the maximum length of a Job's name: its pods have it in a label.
const maxJobNameLength = 63

func isJob(k schema.GroupKind) bool { return k == schema.GroupKind{Group: "batch", Kind: "Job"} }

// hashJobNames appends a content hash to the names of Jobs: the API allows no change of
// a Job, and what a Job does is to be done once, not with every release that has it. The
// names of its ConfigMaps and Secrets are part of its content.
func (r *renderer) hashJobNames() error {
	for _, o := range r.objects {
		if !isJob(o.groupKind()) {
			continue
		}
		spec, _ := o.body["spec"].(map[string]any)
		if suspended, _ := spec["suspend"].(bool); suspended {
			return o.errorf("%s is suspended: the deployment would wait for it", o.displayName()).Hint("remove spec.suspend, or leave the Job out")
		}
		if run := o.annotation(labels.OnRollback); run != "" && run != labels.RunOnRollback {
			return o.errorf("invalid value %q of annotation %s of %s", run, labels.OnRollback, o.displayName()).Hint("the only value is %s; without the annotation a rollback does not run the Job", labels.RunOnRollback)
		}
		if spec["ttlSecondsAfterFinished"] != nil {
			delete(spec, "ttlSecondsAfterFinished") // one that vanished would be run again
			r.addNote("ttlSecondsAfterFinished of %s is left out: Slipway removes a Job once no release needs it", o.displayName())
		}
		text, err := json.Marshal([]any{o.metaString("name"), spec})
		if err != nil {
			return fmt.Errorf("hash %s: %w", o.displayName(), err)
		}
		sum := sha256.Sum256(text)
		digits := hex.EncodeToString(sum[:])[:hashDigits]
		meta := o.body["metadata"].(map[string]any)
		childMap(meta, "annotations")[labels.Content] = digits
		if !keepsName(o) {
			meta["name"] = hashSuffixed(o.metaString("name"), digits, maxJobNameLength)
		}
	}
	return nil
}
