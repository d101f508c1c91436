package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// conditions are what a query selects by.
type conditions struct {
	terms []string
	args  []any
}

// add adds a condition with its arguments.
func (c *conditions) add(term string, args ...any) {
	c.terms, c.args = append(c.terms, term), append(c.args, args...)
}

// equal adds that the column has the value, unless that is empty.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

func (c *conditions) String() string { return strings.Join(c.terms, " AND ") }

// cut returns the page of entries that were read with a limit of one more than its
// size, and the cursor of its last entry if there are more.
func cut[T any](page port.Page, read []T, cursor func(T) port.Cursor) ([]T, port.Cursor) {
	if len(read) <= page.Size() {
		return read, ""
	}
	read = read[:page.Size()]
	return read, cursor(read[len(read)-1])
}

// cursorOf makes a cursor of the key that a list is ordered by.
func cursorOf(number int64, name any) port.Cursor {
	return port.Cursor(fmt.Sprintf("%d/%v", number, name))
}

// parseCursor returns the key in a cursor.
func parseCursor(list string, c port.Cursor) (number int64, name string, err error) {
	text, name, ok := strings.Cut(string(c), "/")
	if number, err = strconv.ParseInt(text, 10, 64); err != nil || !ok {
		return 0, "", invalidCursor(list, c)
	}
	return number, name, nil
}

func invalidCursor(list string, c port.Cursor) error {
	return fault.New(fault.Invalid, "list the %s: invalid cursor %q", list, c)
}
