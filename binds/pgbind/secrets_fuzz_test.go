package pgbind

import (
	"strings"
	"testing"
)

// No password, wherever it stands in whatever text, is in an error.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "@", ":", "/", "?", "#", "%", "%zz", "&x=", "@h:p", "[", " ", "\x00", "tcp(", ","} {
		f.Add("postgres://app:", s, "@127.0.0.1/shop")
		f.Add("postgres://app@h/shop?password=", s, "&sslmode=require")
	}
	f.Fuzz(func(t *testing.T, before, password, after string) {
		const mark = "Zq7Xw9"
		if !strings.HasSuffix(before, ":") && !strings.HasSuffix(before, "password=") || strings.Contains(before, "=") && !strings.Contains(before, "?") {
			return
		}
		_, err := parse(before + mark + password + mark + after)
		if err != nil && strings.Contains(err.Error(), mark) {
			t.Fatal("an error shows a password")
		}
	})
}
