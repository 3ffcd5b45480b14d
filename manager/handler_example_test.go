package manager_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/manager"
)

// Health probes, and a page for operators, on one address of the inside.
func ExampleDBManager_Handler() {
	ctx := context.Background()
	m, err := manager.New(ctx, &manager.Config{Binds: []manager.BindConfig{{Key: "accounts", Writer: binds.NewURI("sqlite::memory:")}}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	inside := http.NewServeMux()
	inside.Handle("/databases/", http.StripPrefix("/databases", m.Handler()))

	for _, path := range []string{"/databases/live", "/databases/ready"} {
		answer := httptest.NewRecorder()
		inside.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, answer.Code)
	}
	// Output:
	// /databases/live 200
	// /databases/ready 200
}
