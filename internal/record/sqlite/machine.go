package sqlite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// machine is whose records a store shows. The zero value shows those that no machine
// has of its own.
type machine struct {
	id           string
	environments []delivery.Environment // that each machine has of its own
}

// machineMark separates the name of an environment from the machine that it is of. It
// is no part of either.
const machineMark = "@"

// OnMachine returns the same records as they are seen on a machine. Each machine has
// environments of its own under these names, such as those whose service runs on it:
// their runs and deployments are stored under NAME@ID, and other machines don't see
// them. Everything else is shared.
func (s *Store) OnMachine(id string, environments []delivery.Environment) (*Store, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9]+$`).MatchString(id) {
		return nil, fault.New(fault.Invalid, "open the records in %s: invalid machine %q", s.db.path, id)
	}
	for _, env := range environments {
		if strings.Contains(string(env), machineMark) {
			return nil, fault.New(fault.Invalid, "open the records in %s: invalid environment %q", s.db.path, env)
		}
	}
	db := *s.db
	db.machine = machine{id, environments}
	return &Store{&db}, nil
}

// stored returns the name under which an environment is in the records.
func (m machine) stored(env delivery.Environment) string {
	if slices.Contains(m.environments, env) {
		return string(env) + machineMark + m.id
	}
	return string(env)
}

// visible is the condition under which a row with a column environment is shown.
func (m machine) visible() string {
	var own, hidden []string
	for _, env := range m.environments {
		own, hidden = append(own, text(m.stored(env))), append(hidden, text(string(env)))
	}
	return fmt.Sprintf("(environment IN (%s) OR instr(environment, '%s') = 0 AND environment NOT IN (%s))",
		strings.Join(own, ", "), machineMark, strings.Join(hidden, ", "))
}

// restrict lets a statement, which ends with its condition, change visible rows only.
func (m machine) restrict(statement string) string { return statement + " AND " + m.visible() }

// text is a literal for SQL.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// environmentColumn reads an environment without the machine that it is of.
type environmentColumn struct{ env *delivery.Environment }

// Scan implements sql.Scanner.
func (c environmentColumn) Scan(value any) error {
	stored, ok := value.(string)
	if !ok {
		return fmt.Errorf("read an environment: the column holds %T", value)
	}
	name, _, _ := strings.Cut(stored, machineMark)
	*c.env = delivery.Environment(name)
	return nil
}
