package registry

import (
	"errors"
	"strings"

	"github.com/aws/smithy-go"
)

// SageMaker reports what is not there, and what is there already, as a failed validation.
// Only the message tells.
func hasText(err error, code string, texts ...string) bool {
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		return false
	}
	message := strings.ToLower(e.ErrorMessage())
	for _, text := range texts {
		if strings.Contains(message, text) {
			return true
		}
	}
	return false
}

func isAbsent(err error) bool {
	return hasText(err, "ValidationException", "does not exist", "could not find", "not found") || hasText(err, "ResourceNotFound", "")
}

func isExisting(err error) bool { return hasText(err, "ValidationException", "already exist") }

// isRaced reports whether another call was first: one with the same client token and
// other parameters, or one that changed the same version. AWS documents no error for the
// former, so each likely one counts; whoever asks reads the version again.
func isRaced(err error) bool {
	return hasText(err, "ConflictException", "") || hasText(err, "ValidationException", "token", "idempoten") || hasText(err, "IdempotentParameterMismatch", "")
}

func isRefusedImage(err error) bool {
	return hasText(err, "ValidationException", "manifest media type")
}
