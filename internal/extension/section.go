package extension

// Section describes the keys of one kind in slipway.yaml.
type Section struct {
	// New returns a pointer to a new struct. Its tags are read three times: yaml,
	// jsonschema and jsonschema_description as those of config.Project, json for
	// the form in which a plan keeps the section.
	New func() any
	// Check reports what tags can't express; nil checks nothing.
	Check func(section any, c Checker)
	// Patterns are regular expressions by key, for the JSON Schema.
	Patterns map[string]string
}

// SectionOf is the section that is decoded into a T.
func SectionOf[T any](check func(section *T, c Checker)) Section {
	s := Section{New: func() any { return new(T) }}
	if check != nil {
		s.Check = func(section any, c Checker) {
			if t, ok := section.(*T); ok {
				check(t, c)
			}
		}
	}
	return s
}

// Checker is how a section reports what is wrong with it. Keys are relative to
// the section; "" is the section itself. Messages start with the key's full path.
type Checker interface {
	// Fail reports a mistake at the key, with a hint (may be empty).
	Fail(key, hint, format string, args ...any)
	// IsSet reports whether the file has the key.
	IsSet(key string) bool
	// MatchPattern requires text to match a regular expression.
	MatchPattern(key, text, pattern, hint string)
	// CheckSecret requires a reference to an environment variable.
	CheckSecret(key string, s Secret)
	// CheckPath requires a path below the folder of the file.
	CheckPath(key, path string)
	// CheckFolder is CheckPath for a folder that may hold files beside the service's:
	// with source.also, it may be one above.
	CheckFolder(key, dir string)
	// CheckLiterals requires names of variables, and values without ${...}.
	CheckLiterals(key string, env map[string]string)
	// ImageRepository is image.repository.
	ImageRepository() string
}
