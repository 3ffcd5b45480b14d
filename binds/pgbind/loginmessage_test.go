package pgbind

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/panicked"
)

// TestMessage_refused has a server say what PostgreSQL never says at log-in. Pgdriver sees none of it, wherever the server is, and the
// connection is closed.
func TestMessage_refused(t *testing.T) {
	const password = "hunter2"
	said := func(kind byte, length int32, body string) string {
		m := message(kind, body)
		m[1], m[2], m[3], m[4] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
		return string(m)
	}
	for reason, row := range map[string]struct{ asks, want string }{
		"in clear, too long":          {request(3, "more"), "request 3"},
		"in clear, too short":         {said('R', 4, "\x00\x00\x00\x03"), "length of 4"},
		"in clear, inside a notice":   {said('K', 4, "") + said('N', 16, "\x00\x00\x00") + request(3, ""), "length of 4"},
		"MD5 without salt":            {request(5, ""), "request 5"},
		"a request that goes on":      {said('R', 600, "\x00\x00\x00\x0a"), "length of 600"},
		"a request before its length": {said('R', -1, ""), "length of -1"},
		"a notice of no length":       {said('N', 3, ""), "length of 3"},
		"a notice that goes on":       {said('N', 1<<30, ""), "length of 1073741824"},
		"a setting of no length":      {said('S', 0, ""), "length of 0"},
		"a longer key":                {said('K', 36, ""), "length of 36"},
		"no mechanism":                {request(10, "\x00"), "without an end"},
		"no mechanism that is known":  {request(10, "SCRAM-SHA-256-PLUS\x00\x00"), "SCRAM-SHA-256"},
		"mechanisms without end":      {request(10, "SCRAM-SHA-256"), "without an end"},
		"ready, and more":             {said('Z', 6, "II"), "length of 6"},
	} {
		for _, local := range []bool{false, true} {
			t.Run(fmt.Sprint(reason, ", on this machine: ", local), func(t *testing.T) {
				addr, sent := fakeServer(t, row.asks)
				c := connectorOf(t, "postgres://app:"+password+"@"+addr+"/app?sslmode=disable&connect_timeout=5s")
				c.settings.local = func(net.Addr) bool { return local }
				_, err := c.Connect(t.Context())
				var refused *MessageError
				require.ErrorAs(t, err, &refused)
				assert.ErrorContains(t, err, row.want)
				assert.NotContains(t, err.Error(), password)
				assert.Equal(t, binds.NotSent, (&binds.Engine{}).Classify(&binds.ConnectError{Err: err}))
				assert.Empty(t, sent(), "it was answered")
			})
		}
	}
}

// TestMessage_pieces lets a log-in through whose bytes come one by one.
func TestMessage_pieces(t *testing.T) {
	server, client := net.Pipe()
	go func() {
		defer func() { _ = server.Close() }()
		for i := range login {
			_, _ = server.Write(login[i : i+1])
		}
	}()
	w := &wire{stream: client, socket: &socket{Conn: client}}
	w.owed = 1
	got, err := io.ReadAll(io.LimitReader(w, int64(len(login))))
	require.NoError(t, err)
	assert.Equal(t, string(login), string(got))
	assert.True(t, w.loggedIn)
}

// TestSCRAM_first accepts what RFC 5802, section 7, has, and nothing that pgdriver would read in another way.
func TestSCRAM_first(t *testing.T) {
	for text, want := range map[string]string{
		"r=xy,s=c2FsdA==,i=4096":                                 "",
		"r=xy,s=c2FsdA==,i=4096,y=more,z=of it":                  "",
		"r=xy,s=c2FsdA==,i=1000000":                              "",
		"r=xy,s=c2FsdA==,i=1000001":                              "1000001 iterations, and no more than 1000000",
		"r=xy,s=c2FsdA==,i=2147483647":                           "set scram_iterations",
		"r=xy,s=c2FsdA==,i=4294967296":                           "without a number",
		"r=xy,s=c2FsdA==,i=many":                                 "without a number",
		"r=xy,s=c2FsdA==,i=-1":                                   "without a number",
		"r=xy,s=c2FsdA==,i=+4096":                                "without a number",
		"r=xy,s=c2FsdA==,i=4096,i=1":                             "none (RFC",
		"r=xy,s=c2FsdA==,i=4096,r=xy":                            "none (RFC",
		"r=xy,s=c2FsdA==,i=4096,s=c2FsdA==":                      "none (RFC",
		"r=xy,s=c2FsdA==,i=4096,m=must":                          "none (RFC",
		"r=xy,s=c2FsdA==,i=4096,long=one":                        "none (RFC",
		"r=xy,i=4096,s=c2FsdA==":                                 "none (RFC",
		"r=xy,s=c2FsdA==":                                        "without a number",
		"m=must,r=xy,s=c2FsdA==,i=4096":                          "none (RFC",
		"e=other-error":                                          "none (RFC",
		strings.Repeat("y=1,", 3) + "r=xy,s=c2FsdA==,i=4096,i=1": "none (RFC",
	} {
		err := (&auth{}).request([]byte("\x00\x00\x00\x0b" + text))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "c2FsdA", "what was read")
	}
}

// scramServer asks by SCRAM, with a first message that follows the client's nonce, and gives what it was sent then.
func scramServer(t *testing.T, behind string) (addr string, sent func() string) {
	t.Helper()
	return serve(t, 2, 2, func(i int, heard string) string {
		if i == 0 {
			return request(10, offerSASL)
		}
		_, nonce, _ := strings.Cut(heard, "r=")
		return request(11, "r="+nonce+"x,s=c2FsdA=="+behind)
	})
}

// TestSCRAM_noProof proves nothing to a server whose number of iterations can be read in two ways, or goes past what is done.
func TestSCRAM_noProof(t *testing.T) {
	for _, behind := range []string{",i=4096,i=1", ",i=1000001", ",i=4096,y=" + strings.Repeat("a", 600) + ",i=1"} {
		for _, local := range []bool{false, true} {
			addr, sent := scramServer(t, behind)
			c := connectorOf(t, "postgres://app:hunter2@"+addr+"/app?sslmode=disable&connect_timeout=5s")
			c.settings.local = func(net.Addr) bool { return local }
			_, err := c.Connect(t.Context())
			var refused *MessageError
			require.ErrorAs(t, err, &refused)
			var p *panicked.Error
			assert.NotErrorAs(t, err, &p)
			assert.Empty(t, sent())
		}
	}
}
