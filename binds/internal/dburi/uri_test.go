package dburi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for reason, row := range map[string]struct {
		text string
		want URI
	}{
		"everything":                   {"postgres://app:pw@db1:5432/shop", URI{"postgres", "app", "pw", true, "db1", 5432, "shop", nil}},
		"upper case scheme":            {"PostgreS://h", URI{Scheme: "postgres", Host: "h"}},
		"a scheme alone":               {"mysql://", URI{Scheme: "mysql"}},
		"no host, a path":              {"sqlite:///var/lib/app.db", URI{Scheme: "sqlite", Path: "var/lib/app.db"}},
		"no port":                      {"mysql://app@db1/shop", URI{Scheme: "mysql", User: "app", Host: "db1", Path: "shop"}},
		"an empty port":                {"mysql://db1:/shop", URI{Scheme: "mysql", Host: "db1", Path: "shop"}},
		"the last port":                {"mysql://db1:65535", URI{Scheme: "mysql", Host: "db1", Port: 65535}},
		"an empty password is one":     {"mysql://app:@db1", URI{Scheme: "mysql", User: "app", HasPassword: true, Host: "db1"}},
		"a password without a user":    {"mysql://:pw@db1", URI{Scheme: "mysql", Password: "pw", HasPassword: true, Host: "db1"}},
		"IPv6":                         {"postgres://[::1]:5432/db", URI{Scheme: "postgres", Host: "::1", Port: 5432, Path: "db"}},
		"IPv6 without a port":          {"postgres://u@[2001:db8::7]/db", URI{Scheme: "postgres", User: "u", Host: "2001:db8::7", Path: "db"}},
		"IPv6 with a zone":             {"postgres://[fe80::1%25eth0]:1", URI{Scheme: "postgres", Host: "fe80::1%eth0", Port: 1}},
		"IPv4":                         {"postgres://10.0.0.7:5432", URI{Scheme: "postgres", Host: "10.0.0.7", Port: 5432}},
		"a socket's directory as host": {"postgres://app@%2Fvar%2Frun/db", URI{Scheme: "postgres", User: "app", Host: "/var/run", Path: "db"}},
		"an underscore in the host":    {"mysql://db_1.internal", URI{Scheme: "mysql", Host: "db_1.internal"}},
		"escapes in user and path":     {"mysql://a%40b:x@h/my%20db%2F1", URI{Scheme: "mysql", User: "a@b", Password: "x", HasPassword: true, Host: "h", Path: "my db/1"}},
		"a colon in the password":      {"mysql://a:b:c@h", URI{Scheme: "mysql", User: "a", Password: "b:c", HasPassword: true, Host: "h"}},
		"a plus in the password":       {"mysql://a:b+c@h", URI{Scheme: "mysql", User: "a", Password: "b+c", HasPassword: true, Host: "h"}},
		"other marks in the password":  {"mysql://a:!$&'()*,;=[]@h", URI{Scheme: "mysql", User: "a", Password: "!$&'()*,;=[]", HasPassword: true, Host: "h"}},
		"unicode in the password":      {"mysql://a:pässwörd→@h", URI{Scheme: "mysql", User: "a", Password: "pässwörd→", HasPassword: true, Host: "h"}},
		"unicode escaped":              {"mysql://a:%C3%A4@h", URI{Scheme: "mysql", User: "a", Password: "ä", HasPassword: true, Host: "h"}},
		"an escaped escape stays one":  {"mysql://a:%2541@h", URI{Scheme: "mysql", User: "a", Password: "%41", HasPassword: true, Host: "h"}},
		"a scheme in a parameter":      {"mysql://h/db?u=http%3A//x", URI{Scheme: "mysql", Host: "h", Path: "db"}},
	} {
		t.Run(reason, func(t *testing.T) {
			u, err := Parse(row.text)
			require.NoError(t, err)
			require.NotNil(t, u.Params)
			u.Params = nil
			assert.True(t, row.want == *u, "want %v", row.want.Host) // no diff: it would show the password
		})
	}
}

// Every row holds the password s3cr3tpw, or a part of it in a place where it does not belong.
func TestParseErrors(t *testing.T) {
	const pw = "s3cr3tpw"
	for reason, row := range map[string]struct{ text, want string }{
		"empty":                                {"", `"//" must follow the scheme`},
		"a password alone":                     {pw, `"//" must follow the scheme`},
		"opaque":                               {"postgres:app:" + pw + "@h/db", `"//" must follow the scheme`},
		"one slash":                            {"postgres:/app:" + pw + "@h/db", `"//" must follow the scheme`},
		"a URI inside a DSN":                   {"root:" + pw + "@h/db?u=http://x", `"//" must follow the scheme`},
		"the DSN of go-sql-driver":             {"u:" + pw + "@tcp(h)/db", `"//" must follow the scheme`},
		"that behind a scheme":                 {"mysql://u:" + pw + "@tcp(h)/db", "not user@tcp(host:port)"},
		"that with a port":                     {"mysql://u:" + pw + "@tcp(h:3306)/db", "not user@tcp(host:port)"},
		"that with a socket":                   {"mysql://u:" + pw + "@unix(/run/s)/db", "not user@tcp(host:port)"},
		"an @ in the password":                 {"mysql://u:s3cr3t@tpw@h/db", `"@" in the user or password`},
		"an @ in the user":                     {"mysql://u@" + pw + ":x@h/db", `"@" in the user or password`},
		"a slash in the password":              {"mysql://u:s3cr3t/tpw@h/db", `"@" after the host`},
		"a number before the slash":            {"mysql://u:1234/s3cr3tpw@h/db", `"@" after the host`},
		"a question mark in the password":      {"mysql://u:s3cr3t?tpw@h/db", `"@" after the host`},
		"a hash in the password":               {"mysql://u:s3cr3t#tpw@h/db", `"#" has no meaning here`},
		"a bad escape in the password":         {"mysql://u:s3cr3t%zzpw@h/db", "a bad percent escape in the user or password"},
		"half an escape in the password":       {"mysql://u:s3cr3tpw%@h/db", "a bad percent escape in the user or password"},
		"a blank in the password":              {"mysql://u:s3cr 3tpw@h/db", "a blank or a control character"},
		"a newline at the end":                 {"mysql://u:" + pw + "@h/db\n", "a blank or a control character"},
		"a newline in the password":            {"mysql://u:s3cr\n3tpw@h/db", "a blank or a control character"},
		"a NUL":                                {"mysql://u:s3cr\x003tpw@h/db", "a blank or a control character"},
		"no host behind the password":          {"mysql://u:" + pw + "/db", "the port is not a number"},
		"no host, a blank path":                {"mysql://u:" + pw, "the port is not a number"},
		"the port is a name":                   {"mysql://u:" + pw + "@h:port/db", "the port is not a number"},
		"the port is the password":             {"mysql://h:" + pw, "the port is not a number"},
		"port nought":                          {"mysql://u:" + pw + "@h:0/db", "the port is not a number"},
		"a port too high":                      {"mysql://u:" + pw + "@h:65536/db", "the port is not a number"},
		"a negative port":                      {"mysql://u:" + pw + "@h:-1/db", "the port is not a number"},
		"IPv6 without brackets":                {"mysql://u:" + pw + "@::1:3306/db", "the host has several colons"},
		"a bracket without an end":             {"mysql://u:" + pw + "@[::1/db", "ends with a bracket"},
		"something behind the bracket":         {"mysql://u:" + pw + "@[::1]x/db", "ends with a bracket"},
		"no address in the brackets":           {"mysql://u:x@[" + pw + "]/db", "is no IPv6 address"},
		"IPv4 in the brackets":                 {"mysql://u:" + pw + "@[10.0.0.1]/db", "is no IPv6 address"},
		"a bad escape in the host":             {"mysql://u:" + pw + "@h%zz/db", "a bad percent escape in the host"},
		"a bad escape in the path":             {"mysql://u:" + pw + "@h/%zz", "a bad percent escape in the path"},
		"a bad escape in a parameter":          {"mysql://h/db?password=" + pw + "%zz", "a bad percent escape or a semicolon"},
		"a semicolon between parameters":       {"mysql://h/db?password=" + pw + ";a=b", "a bad percent escape or a semicolon"},
		"an ampersand in a parameter":          {"mysql://h/db?password=a&" + pw, "is not name=value"},
		"a parameter without a value":          {"mysql://h/db?" + pw, "is not name=value"},
		"an @ in a parameter":                  {"mysql://h/db?password=s3cr3t@tpw", `"@" after the host`},
		"several servers":                      {"postgres://u:" + pw + "@h1,h2/db", "a URI names one server"},
		"several servers with their passwords": {"postgres://u:" + pw + "@h1,u:" + pw + "@h2/db", `"@" in the user or password`},
	} {
		t.Run(reason, func(t *testing.T) {
			u, err := Parse(row.text)
			require.Error(t, err)
			assert.Nil(t, u)
			assert.Contains(t, err.Error(), row.want)
			for _, part := range []string{"s3cr", "3tpw", "cr3t", "tpw"} {
				assert.NotContains(t, err.Error(), part)
			}
		})
	}
}

func TestURIPrintsNothing(t *testing.T) {
	u, err := Parse("mysql://u:s3cr3tpw@h/db?password=s3cr3tpw")
	require.NoError(t, err)
	for _, v := range []any{u, *u, u.Params, []any{u, u.Params}, struct{ U URI }{*u}, struct{ U *URI }{u}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "s3cr3tpw", "%T as %s", v, verb)
		}
		text, err := json.Marshal(v)
		assert.NotContains(t, string(text)+fmt.Sprint(err), "s3cr3tpw", "%T as JSON", v)
	}
}

// vocabulary is every text that Parse and Done say of their own, so that a password that happens to
// hold such a word is not taken for a leak.
var vocabulary = func() string {
	var words strings.Builder
	for _, text := range []string{
		"", "a://#", "a:// ", "a://x@x@h", "a://x%@h", "a:///%", "a:///@", "a://[", "a://[]", "a://h:h", "a://a:b:c", "a://(", "a://h,h", "a://%",
		"a://?%", "a://?a",
	} {
		_, err := Parse(text)
		words.WriteString(fmt.Sprint(err))
	}
	for _, query := range []string{"x=y", "passwrd=0", "password=0&0=0", "-=", "%20=", "password=&sslmodd=", "x=0&x=0"} {
		p, err := ParseParams(query)
		if err != nil {
			panic(err)
		}
		_, _ = p.String("password", ""), p.String("sslmode", "")
		_ = p.String("x", "")
		if err := p.Done(); err != nil {
			words.WriteString(fmt.Sprint(err))
		}
		p, _ = ParseParams(query)
		_, _ = p.String("password", ""), p.String("sslmode", "")
		words.WriteString(fmt.Sprint(p.Done()))
	}
	return words.String()
}()

// leak returns a run of four characters of the password that the error holds.
func leak(err error, password string) string {
	for i := 0; i+4 <= len(password); i++ {
		if run := password[i : i+4]; strings.Contains(err.Error(), run) && !strings.Contains(vocabulary, run) {
			return run
		}
	}
	return ""
}

func FuzzParse(f *testing.F) {
	for _, password := range []string{
		"s3cr3tpw", "a@b@cdef", "12345/secret", "#frag%zz", "p?assword=x", "[::1]:x", "%", "%41", "a b\nc", "ünïcödé→", "x:y:z1", "1234&abcd=efgh",
		"@tcp(host:1)/", "://://", "\x00\xff", "s3cr,et", "a;b;c;d", "+++++", "&passwd=abcd&efgh", "[abcd", "@[abcd]", "@h:abcd", "@h%abcd", "@abcd/?x%",
	} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		for _, raw := range []string{
			"scheme://user:" + password + "@host:5432/db?x=y", "scheme://user:" + password, "scheme:" + password + "@host/db", password,
			"scheme://host/db?password=" + password, "scheme://host/db?passwrd=" + password, "scheme://host/db?a=b&password=" + password + "&x=y",
		} {
			u, err := Parse(raw)
			if err == nil {
				_ = u.Params.String("password", "")
				_ = u.Params.String("sslmode", "")
				// What stands before a password is no part of it: "scheme://user:5432/db?name=" has none.
				if strings.Contains(raw, "?pass") || strings.Contains(raw, "&pass") {
					err = u.Params.Done()
				}
			}
			if err == nil {
				continue
			}
			if run := leak(err, password); run != "" {
				t.Errorf("Parse(%q) shows %q of the password: %v", raw, run, err)
			}
		}

		for _, escaped := range []string{everyByte(password), url.PathEscape(password), url.QueryEscape(strings.ReplaceAll(password, " ", "_"))} {
			want, _ := url.PathUnescape(escaped)
			u, err := Parse("scheme://user:" + strings.ReplaceAll(escaped, "@", "%40") + "@host:5432/db?password=" + everyByte(want) + "&x=y")
			if err != nil {
				t.Fatalf("password %q, escaped as %q: %v", password, escaped, err)
			}
			if u.Password != want || u.Params.String("password", "") != want || u.Host != "host" || u.Port != 5432 || u.Path != "db" {
				t.Errorf("password %q, escaped as %q, reads %q", password, escaped, u.Password)
			}
		}
	})
}

// everyByte escapes each byte, needed or not.
func everyByte(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}
