package redact

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

var (
	// userinfo matches the secret part before the host of a URL: a password after
	// a colon, or with HTTP a token alone.
	userinfo = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:([^\s/@]+)@|https?://([^\s/@:]+)@`)
	// anyUserinfo matches everything before the host of a URL.
	anyUserinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/"'<>@]+(?::[^\s/"'<>@]*)?@`)
)

// credentials returns the credentials of the URLs in text, as they are written
// there and as they are sent.
func credentials(text string) (found []string) {
	for _, match := range userinfo.FindAllStringSubmatch(text, -1) {
		secret := match[1] + match[2]
		found = append(found, secret)
		if plain, err := url.PathUnescape(secret); err == nil && plain != secret {
			found = append(found, plain)
		}
	}
	return found
}

// Userinfo returns text with the user and password of every URL replaced,
// whatever they are.
func Userinfo(text string) string { return anyUserinfo.ReplaceAllString(text, "${1}"+Placeholder+"@") }

// URLParts returns the parts of a URL that may be secret on their own: for a chat
// service or a webhook the token may be the user, the host or a piece of the path.
func URLParts(address string) []string {
	_, rest, _ := strings.Cut(address, "://")
	pieces := append(strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune(":/@?&=#", r) }), address, rest)
	out := pieces
	for _, p := range pieces {
		if plain, err := url.QueryUnescape(p); err == nil && plain != p {
			out = append(out, plain)
		}
	}
	return out
}

// WithoutURL drops the URL that net/http puts into its errors: it may hold a
// secret in any of its parts.
func WithoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
