// Package syscall has no symbols for an interpreter.
package syscall

import "reflect"

// Symbols are none.
var Symbols map[string]map[string]reflect.Value
