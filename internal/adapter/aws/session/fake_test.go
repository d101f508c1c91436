package session_test

import "github.com/aws/smithy-go"

// apiError is an error as the SDK returns it.
type apiError struct{ code, message string }

func (e apiError) Error() string                 { return e.code }
func (e apiError) ErrorCode() string             { return e.code }
func (e apiError) ErrorMessage() string          { return e.message }
func (e apiError) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }
