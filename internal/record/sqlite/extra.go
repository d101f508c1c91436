package sqlite

import (
	"encoding/json"
	"fmt"
)

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
