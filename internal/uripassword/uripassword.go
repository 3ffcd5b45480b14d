// Package uripassword puts passwords into URIs of databases.
package uripassword

import (
	"errors"
	"net/url"
	"strings"
)

var (
	// ErrNoUser reports a URI that names nobody whose password it could be.
	ErrNoUser = errors.New("a password needs a URI with a user, as in postgres://user@host/database")
	// ErrHasOne reports a URI that has a password.
	ErrHasOne = errors.New("the URI has a password already")
)

// parts splits a URI into what stands before its user, the user with a password, and the rest from "@" on.
func parts(uri string) (scheme, user, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(uri, "://")
	if !ok {
		return "", "", "", false
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	at := strings.LastIndexByte(rest[:end], '@')
	if at <= 0 {
		return "", "", "", false
	}
	return scheme + "://", rest[:at], rest[at:], true
}

// Carries reports whether a URI has a password, before the host or as a parameter.
func Carries(uri string) bool {
	_, user, rest, _ := parts(uri)
	if _, password, _ := strings.Cut(user, ":"); password != "" {
		return true
	}
	if rest == "" {
		rest = uri
	}
	return strings.Contains(rest, "?password=") || strings.Contains(rest, "&password=")
}

// Wants reports whether a URI has a user and no password.
func Wants(uri string) bool {
	_, user, _, ok := parts(uri)
	return ok && !strings.Contains(user, ":") && !Carries(uri)
}

// With puts a password into a URI that has a user and no password. The error, [ErrNoUser] or [ErrHasOne], holds no part of either.
func With(uri, password string) (string, error) {
	scheme, user, rest, ok := parts(uri)
	switch {
	case !ok:
		return "", ErrNoUser
	case strings.Contains(user, ":"):
		return "", ErrHasOne
	}
	return scheme + user + ":" + escape(password) + rest, nil
}

// escape percent-encodes everything that could mean something in a URI. PathEscape leaves "@" alone.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
