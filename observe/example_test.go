package observe_test

import (
	"context"
	"fmt"
	"log"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/observe"
)

func ExampleOn() {
	ctx := context.Background()
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "accounts", Writer: binds.NewURI("sqlite::memory:")}}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	spans := tracetest.NewInMemoryExporter() // a program has one that sends them somewhere
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	off, err := observe.On(m, observe.WithTracerProvider(tracers)) // observe.On(m) takes OpenTelemetry's global ones
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = off() }()

	err = m.InTx(ctx, binds.Key("accounts"), func(ctx context.Context) error {
		_, err := m.NewRaw(binds.Key("accounts"), "CREATE TABLE users (name TEXT)").Exec(ctx)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name)
	}
	// Output:
	// BEGIN
	// CREATE users
	// COMMIT
	// transaction
}
