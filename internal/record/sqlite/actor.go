package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// actorColumn reads an actor from its JSON, or from a bare name as quarantines of
// earlier versions have it; an empty column is no actor.
type actorColumn struct{ actor *delivery.Actor }

// Scan implements sql.Scanner.
func (c actorColumn) Scan(value any) error {
	*c.actor = delivery.Actor{}
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("read an actor: the column holds %T", value)
	}
	if text == "" {
		return nil
	}
	if !strings.HasPrefix(text, "{") {
		c.actor.Name = text
		return nil
	}
	if err := json.Unmarshal([]byte(text), c.actor); err != nil {
		return fmt.Errorf("read an actor: %w", err)
	}
	return nil
}

// actorJSON is an actor for the database; none is empty.
func actorJSON(a delivery.Actor) string {
	if a.IsZero() {
		return ""
	}
	text, err := json.Marshal(a)
	if err != nil { // strings only
		panic(err)
	}
	return string(text)
}
