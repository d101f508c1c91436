package plan

import (
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// Digest names a plan by its content, so that an approval can be bound to what was
// approved. Of a plan that is stored, the records keep the digest: a later version
// may write the plan otherwise.
func Digest(p Plan) (delivery.Digest, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write the plan of run %s: %w", p.Run, err)
	}
	return delivery.DigestOf(text), nil
}
