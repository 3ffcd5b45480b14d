package binds

import (
	"fmt"
	"log/slog"
)

// redacted is what every printed form of a URI shows.
const redacted = "[URI withheld]"

// A URI says where a database is, password included. It prints, marshals and logs as a fixed
// text, in every verb and inside every other value; only [URI.Reveal] gives its content.
//
// The zero URI is "no URI". A URI may be copied and used concurrently. Compare with [URI.Equal].
type URI struct {
	// reveal holds the text where fmt, encoders and debuggers that walk fields cannot see it:
	// methods such as String are skipped on the unexported fields of whoever holds a URI.
	reveal func() string
}

// NewURI returns the URI with the given text. It is not checked before it is opened.
func NewURI(text string) URI {
	if text == "" {
		return URI{}
	}
	return URI{reveal: func() string { return text }}
}

// Reveal returns the text with its password, for a driver.
func (u URI) Reveal() string {
	if u.reveal == nil {
		return ""
	}
	return u.reveal()
}

// IsZero reports whether u is the zero URI.
func (u URI) IsZero() bool { return u.reveal == nil }

// Equal reports whether u and v have the same text.
func (u URI) Equal(v URI) bool { return u.Reveal() == v.Reveal() }

// String returns a fixed text without any part of the URI, or "" for the zero URI.
func (u URI) String() string {
	if u.IsZero() {
		return ""
	}
	return redacted
}

// Format writes the same text for every verb.
func (u URI) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(u.String())) }

// MarshalText returns the text of [URI.String], so that no encoder shows a password.
func (u URI) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText makes u the URI with the given text.
func (u *URI) UnmarshalText(text []byte) error {
	*u = NewURI(string(text))
	return nil
}

// LogValue returns the text of [URI.String].
func (u URI) LogValue() slog.Value { return slog.StringValue(u.String()) }
