package embedded

import (
	"context"
	"io"
	"reflect"
	"strings"

	"github.com/sirupsen/logrus"
)

// withoutLogs returns a context in which the library finds a logger that discards
// everything: it would write a line to standard error for each request. Its key for
// the logger, and the function that sets it, are internal to its module; the
// alternative is to change the logger of the whole process. So the key is recognized
// by its name, which TestOpen_LogsNothing holds the library to.
func withoutLogs(ctx context.Context) context.Context {
	discard := logrus.New()
	discard.SetOutput(io.Discard)
	discard.SetLevel(logrus.PanicLevel)
	return loggerContext{ctx, logrus.NewEntry(discard)}
}

type loggerContext struct {
	context.Context
	logger *logrus.Entry
}

// Value returns the logger for the library's key.
func (c loggerContext) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.Name() == "loggerKey" && strings.HasSuffix(t.PkgPath(), "/dcontext") {
		return c.logger
	}
	return c.Context.Value(key)
}
