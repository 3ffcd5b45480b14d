// Package dburi reads database URIs without ever repeating them.
//
// net/url quotes its whole input in its errors, and reads "user:pa/ss@host" as a host called
// user: a mistyped password ends up in an error, a log or a host look-up. This parser refuses what
// an unescaped password could have broken, and its errors name the part that is wrong, never
// what stood there.
package dburi

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A URI is scheme://user:password@host:port/path?name=value&…, its parts unescaped.
type URI struct {
	Scheme      string // lower case
	User        string
	Password    string
	HasPassword bool
	Host        string // without brackets; "" if the URI names none
	Port        int    // 0 if the URI names none
	Path        string // without the leading slash
	Params      *Params
}

// escape is the cure for most malformed URIs.
const escape = `percent-encode special characters in the user and password ("@" is %40, ":" %3A, "/" %2F, "?" %3F, "#" %23, "%" %25, "&" %26)`

// Parse reads the URI of one server.
func Parse(text string) (*URI, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(scheme, ":@/?#") {
		return nil, errors.New(`malformed URI: "//" must follow the scheme, as in postgres://user@host/database`)
	}
	u := &URI{Scheme: strings.ToLower(scheme)}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, errors.New("malformed URI: it holds a blank or a control character: " + escape)
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New(`malformed URI: "#" has no meaning here: ` + escape)
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if strings.Contains(tail, "@") {
		return nil, errors.New(`malformed URI: "@" after the host: ` + escape)
	}
	path, query, _ := strings.Cut(tail, "?")
	if err := u.setAuthority(authority); err != nil {
		return nil, err
	}
	var err error
	if u.Path, err = url.PathUnescape(strings.TrimPrefix(path, "/")); err != nil {
		return nil, errors.New("malformed URI: a bad percent escape in the path")
	}
	if u.Params, err = ParseParams(query); err != nil {
		return nil, err
	}
	return u, nil
}

// withheld is what every printed form shows.
const withheld = "[URI withheld]"

// Format writes a fixed text for every verb.
//
// It is a last resort: fmt walks past it into the unexported fields of whoever holds a URI.
func (u URI) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, withheld) }

// MarshalText returns the same text, so that no encoder shows a password.
func (u URI) MarshalText() ([]byte, error) { return []byte(withheld), nil }

func (u *URI) setAuthority(authority string) error {
	host := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		host = authority[i+1:]
		if err := u.setUser(authority[:i]); err != nil {
			return err
		}
	}
	if strings.Contains(host, ",") {
		return errors.New("a URI names one server: give the others as readers")
	}
	return u.setHost(host)
}

func (u *URI) setUser(info string) error {
	user, password, has := strings.Cut(info, ":")
	if strings.Contains(info, "@") {
		return errors.New(`malformed URI: "@" in the user or password: ` + escape)
	}
	var errUser, errPassword error
	u.User, errUser = url.PathUnescape(user)
	u.Password, errPassword = url.PathUnescape(password)
	u.HasPassword = has
	if errUser != nil || errPassword != nil {
		return errors.New("malformed URI: a bad percent escape in the user or password: " + escape)
	}
	return nil
}

func (u *URI) setHost(host string) error {
	name, port := host, ""
	switch {
	case strings.HasPrefix(host, "["):
		end := strings.IndexByte(host, ']')
		if end < 0 || end+1 < len(host) && host[end+1] != ':' {
			return errors.New("malformed URI: an IPv6 host ends with a bracket, as in [::1]:5432")
		}
		name, port = strings.Replace(host[1:end], "%25", "%", 1), strings.TrimPrefix(host[end+1:], ":") // a zone, RFC 6874
		if ip, err := netip.ParseAddr(name); err != nil || !ip.Is6() {
			return errors.New("malformed URI: what stands in brackets is no IPv6 address")
		}
	case strings.ContainsFunc(host, isNoHost):
		return errors.New(`malformed URI: the host holds a character that no host name has: write user@host:port, not user@tcp(host:port), and ` + escape)
	case strings.Count(host, ":") > 1:
		return errors.New("malformed URI: the host has several colons: put an IPv6 address in brackets, or " + escape)
	default:
		name, port, _ = strings.Cut(host, ":")
		unescaped, err := url.PathUnescape(name)
		if err != nil {
			return errors.New("malformed URI: a bad percent escape in the host")
		}
		name = unescaped
	}
	u.Host = name
	if port == "" {
		return nil
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return errors.New("malformed URI: the port is not a number from 1 to 65535: " + escape)
	}
	u.Port = n
	return nil
}

// isNoHost reports whether r stands in no host name and no escaped socket path. That it is in a host is
// a sign of a password that was not escaped.
func isNoHost(r rune) bool {
	return strings.ContainsRune("!$&'()*+,;=<>[]{}|\\^`\"", r)
}
