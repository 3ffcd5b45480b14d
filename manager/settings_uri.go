package manager

import (
	"net/url"
	"regexp"
	"strings"
)

// shownParams are the parameters of URIs that hold no secret.
var shownParams = map[string]bool{
	"sslmode": true, "ssl-mode": true, "sslrootcert": true, "ssl-ca": true, "host": true, "hostaddr": true, "port": true, "user": true, "dbname": true, "socket": true,
	"connect_timeout": true, "dial_timeout": true, "read_timeout": true, "write_timeout": true, "application_name": true, "program_name": true,
	"search_path": true, "collation": true, "compress": true, "max_allowed_packet": true, "interpolate_params": true,
	"mode": true, "journal_mode": true, "busy_timeout": true,
}

// plainAuthority is a host and a port, without a user.
var plainAuthority = regexp.MustCompile(`^(\[[^\]]*\]|[^:]*)(:[0-9]*)?$`)

// shownURI returns what may be shown of a URI that a driver can read: scheme, user, host, port, database and the parameters that hold no
// secret. The values of others are "…".
func shownURI(text string) string {
	text, query, _ := strings.Cut(text, "?")
	text, _, _ = strings.Cut(text, "#")
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return "…"
	case strings.HasPrefix(rest, "//"):
		authority, path, slash := strings.Cut(rest[2:], "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			user, _, _ := strings.Cut(authority[:at], ":")
			authority = user + authority[at:]
		} else if !plainAuthority.MatchString(authority) {
			authority = "…"
		}
		rest = "//" + authority
		if slash {
			if scheme != "sqlite" && strings.Contains(path, "@") {
				path = "…" // a password with a slash in it
			}
			rest += "/" + path
		}
	}
	shown := scheme + ":" + rest
	for i, param := range strings.Split(query, "&") {
		if param == "" {
			continue
		}
		name, _, _ := strings.Cut(param, "=")
		if plain, err := url.QueryUnescape(name); err != nil || !shownParams[plain] {
			param = name + "=…"
		}
		shown += map[bool]string{true: "?", false: "&"}[i == 0] + param
	}
	return shown
}
