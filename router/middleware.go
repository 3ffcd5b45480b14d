package router

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// tokenPatience bounds how long an answer waits for the writer's position. Afterwards its
// cookie says that it is not known how far the writes went: the next request reads from the
// writer, and gets a better cookie.
const tokenPatience = 500 * time.Millisecond

// Middleware gives each request a session, see [NewSession], which goes on with the client's next
// request in whichever process: its token travels in a cookie as [SessionCookie] says, whose zero value it is. Use that for keys,
// another name, a domain, and behind a proxy that ends TLS.
//
// The cookie is set when the request has written something, or when the one that came can no longer
// be used: after a failover, say, or when it is malformed. Such a cookie makes no request fail and no
// read wrong; its reads go to the writer until readers have caught up.
//
// A response carries the cookie in its header: what is written to a database after the handler began
// its response, with [http.ResponseWriter.WriteHeader], Write or Flush, does not reach the next request,
// which is logged as a warning. A handler that hijacks the connection hands on [Session.Token]
// itself. A request that finds a session in its context goes on with that.
//
// The response waits for one question to the writer of each bind used, at most half a second in all.
func Middleware(next http.Handler) http.Handler { return new(SessionCookie).wrap(next) }

func (c *SessionCookie) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, came := c.resume(req)
		answer := &sessionWriter{ResponseWriter: w, req: req, session: SessionFrom(ctx), cookie: c, came: came}
		defer answer.finish() // also of a handler that panics: whoever recovers it may answer
		next.ServeHTTP(answer, req.WithContext(ctx))
	})
}

// sessionWriter sets the cookie before the response begins.
type sessionWriter struct {
	http.ResponseWriter
	req      *http.Request
	session  *Session
	cookie   *SessionCookie
	came     arrived
	begun    bool // the header was sent
	hijacked bool
}

// begin is called before anything is sent.
func (w *sessionWriter) begin() {
	if !w.begun {
		w.begun = true
		w.setCookie()
	}
}

// setCookie sets the cookie if there is something to tell, once: what is nested shares the session.
func (w *sessionWriter) setCookie() {
	if !w.session.outdated.Swap(false) && (!w.came.mustMerge() || w.session.merged.Load()) {
		return
	}
	w.session.merged.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.req.Context()), tokenPatience)
	defer cancel()
	t, err := w.session.token(ctx)
	if err != nil {
		w.cookie.logger().DebugContext(ctx, "router: a session's cookie leaves something open: reads of the next request go to the writer", "error", err)
	}
	if t.says() {
		w.cookie.set(w.Header(), w.req, &t, w.came)
	}
}

// finish is called when the handler has returned: the header of one that sent nothing is sent next.
func (w *sessionWriter) finish() {
	if !w.begun {
		w.begin()
		return
	}
	if !w.hijacked && w.session.outdated.Load() {
		w.cookie.logger().WarnContext(w.req.Context(), "router: a handler wrote to a database after it had begun its response: the session's cookie does not know", "path", w.req.URL.Path)
	}
}

// WriteHeader sends the cookie with the final header; informational ones (1xx) come before it.
func (w *sessionWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *sessionWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// WriteString saves io.WriteString a copy.
func (w *sessionWriter) WriteString(s string) (int, error) {
	w.begin()
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom lets the server send a file without a copy.
func (w *sessionWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, r)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *sessionWriter) Flush() { _ = w.FlushError() } // as http.Flusher has it

// FlushError is what [http.ResponseController] prefers: http.ErrNotSupported where it is not.
func (w *sessionWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack hands the connection over: http.ErrNotSupported where it cannot be, under HTTP/2.
func (w *sessionWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begun, w.hijacked = true, true
	}
	return conn, buf, err
}

// Unwrap lets [http.ResponseController] find what else the server's own writer can do.
func (w *sessionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
