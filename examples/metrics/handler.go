package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"

	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/trace"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// Accounts marks the models of the accounts database.
type Accounts struct{}

func (Accounts) BindKey() binds.Key { return "accounts" }

type User struct {
	bun.BaseModel `bun:"table:users"`
	Accounts

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// handler serves users and metrics.
func handler(m *manager.DBManager, tracer trace.Tracer, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /users", traced(tracer, "POST /users", func(ctx context.Context, r *http.Request) (any, error) {
		user := &User{Name: r.FormValue("name")}
		err := m.InTx(ctx, Accounts{}, func(ctx context.Context) error {
			_, err := m.NewInsert(user).Exec(ctx)
			return err
		}, manager.Name("sign-up"))
		return user, err
	}))
	mux.Handle("GET /users", traced(tracer, "GET /users", func(ctx context.Context, _ *http.Request) (any, error) {
		var users []User
		err := m.NewSelect(&users).OrderExpr("id DESC").Limit(10).Scan(ctx)
		return users, err
	}))
	mux.Handle("GET /metrics", metrics)
	return router.Middleware(mux)
}

// traced begins a span for each request, as otelhttp does in a real service.
func traced(tracer trace.Tracer, name string, do func(ctx context.Context, r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), name, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		answer, err := do(ctx, r)
		if err == nil {
			err = json.NewEncoder(w).Encode(answer)
		}
		if err != nil {
			log.Print(err)
			http.Error(w, "it did not work", http.StatusInternalServerError)
		}
	})
}
