package sqlite_test

import "github.com/slipway-cd/slipway/internal/port"

func message() port.Message { return port.Message{ID: "m", Title: "t", Text: "text"} }
