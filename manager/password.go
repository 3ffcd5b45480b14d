package manager

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/uripassword"
)

// WithPassword has password called for each new connection to a server whose URI has a user and no password, unless its bind has a
// password_file: for a token of a cloud's, or what a vault gives out. Engine is the engine's name, "accounts/reader-1"; names with more behind it are
// the library's own engines on the same server. How long it may take, what its errors mean and how a password is changed without a failure: see
// [binds.WithPassword].
func WithPassword(password func(ctx context.Context, engine string) (string, error)) Option {
	return func(o *options) { o.password = password }
}

// passwordOf returns where the passwords of an engine come from, nil if from its URI.
func (b *Bind) passwordOf(engine string, uri binds.URI) binds.OpenOption {
	ask := b.opts.password
	switch file := b.config.PasswordFile; {
	case file != "":
		p := &rereadPassword{file: file, engine: engine, logger: b.opts.logger}
		return binds.WithPassword(func(context.Context) (string, error) { return p.read() })
	case ask != nil && uripassword.Wants(uri.Reveal()):
		return binds.WithPassword(func(ctx context.Context) (string, error) { return ask(ctx, engine) })
	}
	return func(*binds.Engine) {}
}

// A rereadPassword is what a file has given the last time. It is safe for concurrent use.
type rereadPassword struct {
	file   string
	engine string
	logger *slog.Logger

	mu     sync.Mutex // guards the rest
	last   string
	failed bool // the last reading has
}

// read returns the file's password, or the one of before where it cannot be read: who writes it anew empties it first.
func (p *rereadPassword) read() (string, error) {
	password, err := readPassword(p.file)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.last, p.failed = password, false
		return password, nil
	}
	if p.last == "" {
		return "", err
	}
	if !p.failed {
		p.logger.Warn("password_file cannot be read: the password that it gave before is used", "engine", p.engine, "error", err)
	}
	p.failed = true
	return p.last, nil
}

// checkPasswordFile returns why the file cannot give the bind's URIs their password.
func (b *BindConfig) checkPasswordFile() error {
	if b.PasswordFile == "" {
		return nil
	}
	if _, err := readPassword(b.PasswordFile); err != nil {
		return err
	}
	uris := []binds.URI{b.Writer}
	for _, r := range b.Readers {
		uris = append(uris, r.URI)
	}
	for _, u := range uris {
		if u.IsZero() {
			continue
		}
		switch _, err := uripassword.With(u.Reveal(), "x"); {
		case errors.Is(err, uripassword.ErrNoUser):
			return errors.New("password_file needs a URI with a user, as in postgres://user@host/database")
		case errors.Is(err, uripassword.ErrHasOne):
			return errors.New("the URI has a password already: take it out, or password_file")
		}
	}
	return nil
}
