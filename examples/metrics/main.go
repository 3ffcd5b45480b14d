// Command metrics is a service whose metrics Prometheus scrapes, and whose traces it prints. It runs by itself, on a SQLite file that it removes:
//
//	go run .                                       # in this folder, a Go module of its own
//	curl -X POST localhost:8080/users?name=Alice   # its trace is printed, as JSON
//	curl localhost:8080/users
//	curl localhost:8080/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind" // sqlite:
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/observe"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/metrics\n", listener.Addr())
	if err := run(ctx, listener, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves on listener until ctx ends, and writes traces to out.
func run(ctx context.Context, listener net.Listener, out io.Writer) (err error) {
	end := func(what func() error) { err = errors.Join(err, what()) }
	tracers, metrics, shutdown, err := telemetry(out)
	if err != nil {
		return err
	}
	defer end(shutdown)

	dir, err := os.MkdirTemp("", "metrics-*")
	if err != nil {
		return err
	}
	defer end(func() error { return os.RemoveAll(dir) })
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{
		{Key: "accounts", Writer: binds.NewURI("sqlite://" + filepath.ToSlash(dir) + "/accounts.db")},
	}})
	if err != nil {
		return err
	}
	defer end(m.Close)
	if err := m.CreateTables(ctx, (*User)(nil)); err != nil {
		return err
	}
	off, err := observe.On(m) // the one line
	if err != nil {
		return err
	}
	defer end(off)

	server := &http.Server{Handler: handler(m, tracers.Tracer("metrics"), metrics), ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.Background()) })
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// telemetry makes OpenTelemetry's global providers: spans are printed, metrics wait for Prometheus.
func telemetry(out io.Writer) (tracers *sdktrace.TracerProvider, metrics http.Handler, shutdown func() error, err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out), stdouttrace.WithPrettyPrint())
	if err != nil {
		return nil, nil, nil, err
	}
	registry := prometheus.NewRegistry()
	exporter, err := otelprom.New(otelprom.WithRegisterer(registry))
	if err != nil {
		return nil, nil, nil, err
	}
	tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)) // a service in production takes WithBatcher
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	otel.SetTracerProvider(tracers)
	otel.SetMeterProvider(meters)
	shutdown = func() error {
		return errors.Join(tracers.Shutdown(context.Background()), meters.Shutdown(context.Background()))
	}
	return tracers, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), shutdown, nil
}
