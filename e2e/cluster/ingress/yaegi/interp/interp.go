// Package interp has no interpreter for Go: the tests use no plugins.
package interp

import (
	"errors"
	"io"
	"reflect"
)

// Options are no options.
type Options struct {
	GoPath         string
	Env            []string
	Stdout, Stderr io.Writer
}

// Interpreter would be an interpreter.
type Interpreter struct{}

// New returns an interpreter that can do nothing.
func New(Options) *Interpreter { return &Interpreter{} }

var errWithoutPlugins = errors.New("plugins are left out of this program")

// Use returns an error.
func (*Interpreter) Use(map[string]map[string]reflect.Value) error { return errWithoutPlugins }

// Eval returns an error.
func (*Interpreter) Eval(string) (reflect.Value, error) { return reflect.Value{}, errWithoutPlugins }
