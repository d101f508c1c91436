package awstest

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error as AWS sends it.
type Error struct {
	Code    string
	Message string
	Status  int // 0: what the model says, or 400

	header map[string]string // of the response
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// refuse makes an error.
func refuse(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// errorOf returns err as AWS sends it; a bug of the fake is an internal failure.
func errorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
}
