package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// unsigned is the condition that a row came from a history that no trusted key has
// signed; trusted removes the mark from a column extra.
const (
	unsigned = "coalesce(json_extract(extra, '$.unsigned'), 0)"
	trusted  = "json_remove(extra, '$.unsigned')"
)

// extraOf returns the column extra of a document that may be unsigned.
func extraOf(unknown delivery.Unknown, isUnsigned bool) string {
	switch {
	case !isUnsigned:
		return unknown.Object()
	case unknown == "":
		return `{"unsigned":true}`
	}
	return `{"unsigned":true,` + string(unknown) + "}"
}

// readExtra reads a column extra into what was read from the other columns. It holds
// the fields that had no column when the row was written: what this program does not
// know of them either becomes the document's Unknown.
func readExtra(extra string, document json.Unmarshaler) error {
	if extra == "{}" {
		return nil
	}
	if err := json.Unmarshal([]byte(extra), document); err != nil {
		return fmt.Errorf("read the column extra: %w", err)
	}
	return nil
}
