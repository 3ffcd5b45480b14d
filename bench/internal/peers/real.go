package peers

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/bindery-go/bindery/bench/internal/proxy"
	"github.com/bindery-go/bindery/integration"
)

// A Real is a cluster of real servers, each behind a proxy of its own.
type Real struct {
	// Cluster leads through the proxies.
	Cluster Cluster
	// Servers are what is behind them.
	Servers *integration.Cluster
	// Proxies are the primary's and then the replicas', in their order.
	Proxies []*proxy.Proxy
}

// StartReal starts PostgreSQL ([dialect.PG]) or MariaDB ([dialect.MySQL]) with that many replicas, and
// the proxies. Ctx bounds the start only. Close it when done.
func StartReal(ctx context.Context, d dialect.Name, replicas int, opts ...integration.Option) (_ *Real, err error) {
	start := integration.NewPostgres
	switch d {
	case dialect.PG:
	case dialect.MySQL:
		start = integration.NewMariaDB
	default:
		return nil, unknownDialect(d)
	}
	r := &Real{Cluster: Cluster{Dialect: d}}
	if r.Servers, err = start(ctx, replicas, opts...); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	if err := r.standBetween(d); err != nil {
		return nil, errors.Join(fmt.Errorf("peers: %w", err), r.Close())
	}
	return r, nil
}

// standBetween puts a proxy before each server.
func (r *Real) standBetween(d dialect.Name) error {
	for i, s := range append([]*integration.Server{r.Servers.Primary}, r.Servers.Replicas...) {
		p, err := proxy.New(s.Addr(), d)
		if err != nil {
			return err
		}
		r.Proxies = append(r.Proxies, p)
		server, err := RealServer(s, d, p.Addr())
		if err != nil {
			return err
		}
		if i == 0 {
			r.Cluster.Primary = server
		} else {
			r.Cluster.Replicas = append(r.Cluster.Replicas, server)
		}
	}
	return nil
}

// Close ends proxies and servers.
func (r *Real) Close() error {
	var errs []error
	for _, p := range r.Proxies {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, r.Servers.Close())...)
}

// RealServer is server s as the ordinary user reaches it at addr: its own address, or that of a proxy.
func RealServer(s *integration.Server, d dialect.Name, addr string) (Server, error) {
	return RealDatabase(s, d, addr, "app")
}

// RealDatabase is RealServer for another database there than that which every server has.
func RealDatabase(s *integration.Server, d dialect.Name, addr, database string) (Server, error) {
	login, err := url.Parse(s.URI())
	if err != nil {
		return Server{}, fmt.Errorf("peers: the URI of %q is malformed", s.Name()) // err would show it
	}
	login.Host, login.Path = addr, "/"+database
	connect, err := realConnect(d, login)
	if err != nil {
		return Server{}, err
	}
	return Server{Name: s.Name(), URI: login.String(), Connect: connect}, nil
}

func realConnect(d dialect.Name, login *url.URL) (func() driver.Connector, error) {
	switch d {
	case dialect.PG:
		dsn := login.String()
		return func() driver.Connector { return pgdriver.NewConnector(pgdriver.WithDSN(dsn)) }, nil
	case dialect.MySQL:
		conf := mysql.NewConfig()
		conf.Net, conf.Addr, conf.DBName = "tcp", login.Host, strings.TrimPrefix(login.Path, "/")
		conf.User = login.User.Username()
		conf.Passwd, _ = login.User.Password()
		conf.ParseTime = true
		conf.Logger = &mysql.NopLogger{} // errors are returned; the page is no place for the driver's lines
		connector, err := mysql.NewConnector(conf)
		if err != nil {
			return nil, fmt.Errorf("peers: %w", err)
		}
		return func() driver.Connector { return connector }, nil
	}
	return nil, unknownDialect(d)
}

// CreateItems makes the table of the items with n rows, whose keys begin at 1 and whose other columns are
// zero, and waits until every replica has them.
func (r *Real) CreateItems(ctx context.Context, n int) error {
	var rows strings.Builder
	for id := 1; id <= n; id++ {
		if id > 1 {
			rows.WriteString(", ")
		}
		fmt.Fprintf(&rows, "(%d, 0, 0, '')", id)
	}
	text := []string{"CREATE TABLE items (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL, version BIGINT NOT NULL, name VARCHAR(100) NOT NULL)"}
	if n > 0 {
		text = append(text, "INSERT INTO items (id, owner, version, name) VALUES "+rows.String())
	}
	if r.Cluster.Dialect == dialect.PG {
		text = append(text, "ALTER TABLE items OWNER TO app")
	}
	for _, t := range text {
		if err := r.Servers.Primary.Exec(ctx, t); err != nil {
			return fmt.Errorf("peers: create the items: %w", err)
		}
	}
	return r.Servers.WaitReplayed(ctx)
}
