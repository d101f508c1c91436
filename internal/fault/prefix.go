package fault

import (
	"fmt"
	"strings"
)

// Prefix returns err with the act in front of its text, unless the text begins with the
// act: two layers that name the same act say it once.
func Prefix(act string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), act) {
		return err
	}
	return fmt.Errorf("%s: %w", act, err)
}
